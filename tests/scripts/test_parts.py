"""The parts that can be wrong on their own: CRC arithmetic, names, blocks, patterns."""

from __future__ import annotations

import os
import tarfile
import zlib

import mims_package as m
import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import archives as a


class TestCrcArithmetic:
    @given(st.binary(max_size=300), st.binary(max_size=300))
    def test_it_combines_as_appending_does(self, first, second):
        assert m.crc_shift(zlib.crc32(first), len(second)) ^ zlib.crc32(second) == zlib.crc32(
            first + second
        )

    @given(st.integers(0, 2**32 - 1), st.integers(0, 2**40), st.integers(0, 2**40))
    def test_shifts_add_up_over_any_length(self, crc, first, second):
        assert m.crc_shift(m.crc_shift(crc, first), second) == m.crc_shift(crc, first + second)


class TestReadAhead:
    @pytest.fixture
    def file(self, tmp_path):
        (tmp_path / "input").write_bytes(bytes(range(256)) * (100 * m.CHUNK // 256) + b"end")
        with m.InputFile(str(tmp_path / "input")) as file:
            yield file

    def test_it_yields_and_hashes_the_whole_file_in_order(self, file):
        seen, progress = [], m.Progress(file.size)
        with m.ReadAhead(file, seen.append, progress) as chunks:
            read = list(chunks)
            assert list(chunks) == []
        assert (
            b"".join(read) == b"".join(seen) == bytes(range(256)) * (100 * m.CHUNK // 256) + b"end"
        )
        assert progress.done == file.size

    def test_leaving_early_ends_the_thread(self, file):
        reader = m.ReadAhead(file, lambda data: None, m.Progress(file.size))
        with reader as chunks:
            next(chunks)
        assert not reader._thread.is_alive()
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) <= (m.CONVEYOR_DEPTH + 3) * m.CHUNK

    def test_an_error_comes_where_its_chunk_was_due(self, file, monkeypatch):
        chunks = [b"first", b"second"]

        def read():
            if chunks:
                return chunks.pop(0)
            raise m.BadInput("the disk is gone")

        monkeypatch.setattr(file, "read", read)
        with m.ReadAhead(file, lambda data: None, m.Progress(file.size)) as reader:
            assert [next(reader), next(reader)] == [b"first", b"second"]
            with pytest.raises(m.BadInput, match="the disk is gone"):
                next(reader)


class TestNameTable:
    @given(st.dictionaries(st.text(max_size=5), st.sampled_from([m.FILE, m.LINK, m.FOLDER])))
    def test_it_knows_what_was_added_and_nothing_else(self, names):
        table = m.NameTable()
        for name, kind in names.items():
            assert table.kind(name) == 0
            table.add(name, kind)
        assert {name: table.kind(name) for name in names} == names
        assert table.kind("a name too long to be among them") == 0

    def test_it_grows(self):
        table = m.NameTable()
        names = [f"folder/file-{number}" for number in range(20_000)]
        for name in names:
            table.add(name, m.FILE)
        assert all(table.kind(name) == m.FILE for name in names)
        assert not any(table.kind(name + "x") for name in names)

    def test_it_tells_twins_in_other_case(self):
        table = m.NameTable()
        assert table.add("Model", m.FILE) is False
        assert table.add("model", m.FILE) is True
        assert table.add("modell", m.FILE) is False


class TestBlocks:
    @pytest.mark.parametrize(
        "block",
        [
            b"",
            b"x",
            bytes(70_000),
            b"some text " * 9000,
            b"".join(bytes((byte ^ shift,)) for shift in range(256) for byte in range(256)),
        ],
    )
    def test_a_block_inflates_to_what_it_was(self, block):
        stream = m.deflate_block(block, b"") + m.LAST_BLOCK
        inflater = zlib.decompressobj(-15)
        assert inflater.decompress(stream) == block
        assert inflater.eof
        assert inflater.unused_data == b""

    def test_what_does_not_shrink_is_stored(self):
        noise = zlib.compress(b"".join(b"%d" % (i * i) for i in range(300_000)), 9)[: 3 * 65535]
        assert m.deflate_block(noise, b"") == m.stored_blocks(noise) + m.FLUSH_BLOCK
        assert len(m.stored_blocks(noise)) == len(noise) + 15


class TestHeaders:
    @given(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1),
        st.integers(0, 1 << 40),
    )
    def test_tarfile_reads_what_is_written(self, name, size):
        if len(name.encode()) > 250 or name in (".", ".."):
            return
        path = f"folder/{name}"
        blocks = m.tar_headers(path, "file", size=size)
        member = tarfile.TarInfo.frombuf(blocks[-512:], "utf-8", "strict")
        if len(blocks) > 512:
            records = m.pax_records(blocks[512:-512].rstrip(b"\0"), "here")
            assert records.get("path", member.name) == path
            assert int(records.get("size", member.size)) == size
        else:
            assert (member.name, member.size) == (path, size)
        assert (member.mtime, member.mode, member.uid) == (315532800, 0o644, 0)

    def test_the_checksum_agrees_with_a_plain_sum(self):
        assert m.checksum_matches(a.header(b"\xff" * 100, link=b"\xff" * 100))
        assert not m.checksum_matches(a.header("x", checksum="wrong"))


class TestWalk:
    @given(st.data())
    def test_where_the_pieces_are_cut_does_not_matter(self, data):
        content = a.tar(
            a.folder("./"),
            a.pax({"path": "p" * 200}) + a.file("x", b"1" * 700),
            a.gnu_long(b"q" * 150) + a.file("y", b"2" * 512, magic=a.GNU),
            a.file("z", b""),
        )
        seen, kept = [], []

        def judge(entry):
            seen.append((entry.path, entry.size, entry.offset))
            return not entry.path.startswith("q")

        walk = m.TarWalk(
            judge,
            max_header_bytes=2000,
            max_content_bytes=10**6,
            sink=lambda b: kept.append(bytes(b)),
        )
        cuts = sorted(data.draw(st.sets(st.integers(1, len(content)), max_size=20)))
        for start, end in zip([0, *cuts], [*cuts, len(content)]):
            walk.feed(content[start:end])
        walk.close()
        assert seen == [("", 0, 0), ("p" * 200, 700, 512), ("q" * 150, 512, 3072), ("z", 0, 5120)]
        assert b"".join(kept) == content[:3072] + content[5120:-1024]


class TestLeaveOut:
    @pytest.mark.parametrize(
        ("pattern", "path", "is_folder", "left_out"),
        [
            ("*.csv", "deep/down/data.csv", False, True),
            ("*.csv", "data.csv.py", False, False),
            ("tests", "lib/tests/a.py", False, True),
            ("tests/", "lib/tests/a.py", False, True),
            ("tests/", "lib/tests", False, False),
            ("tests/", "lib/tests", True, True),
            ("/tests", "tests/a.py", False, True),
            ("/tests", "lib/tests/a.py", False, False),
            ("lib/*.md", "lib/a.md", False, True),
            ("lib/*.md", "a.md", False, False),
            ("# *.py", "a.py", False, False),
            ("", "a.py", False, False),
        ],
    )
    def test_patterns(self, pattern, path, is_folder, left_out):
        assert m.LeaveOut(pattern)(path, is_folder) is left_out


def test_sizes_are_written_with_suffixes():
    assert m.size_argument("64M") == 64 << 20
    assert m.size_argument("1T") == 1 << 40
    assert m.size_argument("7") == 7


def test_only_what_the_standard_library_has_is_imported():
    import ast
    import sys
    from pathlib import Path

    tree = ast.parse(Path(m.__file__).read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    if sys.version_info >= (3, 10):
        assert imported <= set(sys.stdlib_module_names)
