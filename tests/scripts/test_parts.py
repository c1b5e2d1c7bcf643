"""The parts that can be wrong on their own: CRC arithmetic, names, blocks, patterns."""

from __future__ import annotations

import os
import tarfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mims_engine.command_line import size_argument
from mims_engine.crc32 import crc_shift
from mims_engine.deflate import FLUSH_BLOCK, LAST_BLOCK, deflate_block, stored_blocks
from mims_engine.errors import BadInput
from mims_engine.files import InputFile, ReadAhead
from mims_engine.leave_out import LeaveOut
from mims_engine.log import Progress
from mims_engine.name_table import FILE, FOLDER, LINK, NameTable
from mims_engine.pax_records import pax_records
from mims_engine.sizes import CHUNK
from mims_engine.tar_format import checksum_matches
from mims_engine.tar_headers import tar_headers
from mims_engine.tar_walk import TarWalk
from mims_engine.threads import CONVEYOR_DEPTH

from . import archives as a


class TestCrcArithmetic:
    @given(st.binary(max_size=300), st.binary(max_size=300))
    def test_it_combines_as_appending_does(self, first, second):
        assert crc_shift(zlib.crc32(first), len(second)) ^ zlib.crc32(second) == zlib.crc32(
            first + second
        )

    @given(st.integers(0, 2**32 - 1), st.integers(0, 2**40), st.integers(0, 2**40))
    def test_shifts_add_up_over_any_length(self, crc, first, second):
        assert crc_shift(crc_shift(crc, first), second) == crc_shift(crc, first + second)


class TestReadAhead:
    @pytest.fixture
    def file(self, tmp_path):
        (tmp_path / "input").write_bytes(bytes(range(256)) * (100 * CHUNK // 256) + b"end")
        with InputFile(str(tmp_path / "input")) as file:
            yield file

    def test_it_yields_and_hashes_the_whole_file_in_order(self, file):
        seen, progress = [], Progress(file.size)
        with ReadAhead(file, seen.append, progress) as chunks:
            read = list(chunks)
            assert list(chunks) == []
        assert b"".join(read) == b"".join(seen) == bytes(range(256)) * (100 * CHUNK // 256) + b"end"
        assert progress.done == file.size

    def test_leaving_early_ends_the_thread(self, file):
        reader = ReadAhead(file, lambda data: None, Progress(file.size))
        with reader as chunks:
            next(chunks)
        assert not reader._thread.is_alive()
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) <= (CONVEYOR_DEPTH + 3) * CHUNK

    def test_an_error_comes_where_its_chunk_was_due(self, file, monkeypatch):
        chunks = [b"first", b"second"]

        def read():
            if chunks:
                return chunks.pop(0)
            raise BadInput("the disk is gone")

        monkeypatch.setattr(file, "read", read)
        with ReadAhead(file, lambda data: None, Progress(file.size)) as reader:
            assert [next(reader), next(reader)] == [b"first", b"second"]
            with pytest.raises(BadInput, match="the disk is gone"):
                next(reader)


class TestNameTable:
    @given(
        st.dictionaries(
            st.text(max_size=5),
            st.sampled_from([FILE, LINK, FOLDER]),
        )
    )
    def test_it_knows_what_was_added_and_nothing_else(self, names):
        table = NameTable()
        for name, kind in names.items():
            assert table.kind(name) == 0
            table.add(name, kind)
        assert {name: table.kind(name) for name in names} == names
        assert table.kind("a name too long to be among them") == 0

    def test_it_grows(self):
        table = NameTable()
        names = [f"folder/file-{number}" for number in range(20_000)]
        for name in names:
            table.add(name, FILE)
        assert all(table.kind(name) == FILE for name in names)
        assert not any(table.kind(name + "x") for name in names)

    def test_it_tells_twins_in_other_case(self):
        table = NameTable()
        assert table.add("Model", FILE) is False
        assert table.add("model", FILE) is True
        assert table.add("modell", FILE) is False


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
        stream = deflate_block(block, b"") + LAST_BLOCK
        inflater = zlib.decompressobj(-15)
        assert inflater.decompress(stream) == block
        assert inflater.eof
        assert inflater.unused_data == b""

    def test_what_does_not_shrink_is_stored(self):
        noise = zlib.compress(b"".join(b"%d" % (i * i) for i in range(300_000)), 9)[: 3 * 65535]
        assert deflate_block(noise, b"") == stored_blocks(noise) + FLUSH_BLOCK
        assert len(stored_blocks(noise)) == len(noise) + 15


class TestHeaders:
    @given(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1),
        st.integers(0, 1 << 40),
        st.integers(0, 1 << 31),
    )
    def test_tarfile_reads_what_is_written(self, name, size, mtime):
        if len(name.encode()) > 250 or name in (".", ".."):
            return
        path = f"folder/{name}"
        blocks = tar_headers(path, "file", size=size, mtime=mtime)
        member = tarfile.TarInfo.frombuf(blocks[-512:], "utf-8", "strict")
        if len(blocks) > 512:
            records = pax_records(blocks[512:-512].rstrip(b"\0"), "here")
            assert records.get("path", member.name) == path
            assert int(records.get("size", member.size)) == size
        else:
            assert (member.name, member.size) == (path, size)
        assert (member.mtime, member.mode, member.uid) == (mtime, 0o644, 0)

    def test_the_checksum_agrees_with_a_plain_sum(self):
        assert checksum_matches(a.header(b"\xff" * 100, link=b"\xff" * 100))
        assert not checksum_matches(a.header("x", checksum="wrong"))


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

        walk = TarWalk(
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
        assert LeaveOut(pattern)(path, is_folder) is left_out


def test_sizes_are_written_with_suffixes():
    assert size_argument("64M") == 64 << 20
    assert size_argument("1T") == 1 << 40
    assert size_argument("7") == 7
