"""Properties over random models: trees, names, tar dialects, gzip framings, clashes."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from . import archives as a
from .conftest import Bench, contents, unpack_with_gnu_tar, unpack_with_tarfile

SETTINGS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

parts = st.one_of(
    st.sampled_from(["a", "b", "model.bin", "code", "lib", "inference.py", "A"]),
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\:"),
        min_size=1,
        max_size=8,
    ).filter(lambda text: text not in (".", "..")),
    st.integers(90, 120).map(lambda length: "n" * length),
)
paths = st.lists(parts, min_size=1, max_size=4).map("/".join)
data = st.one_of(
    st.binary(max_size=2000),
    st.sampled_from([b"", b"x" * 512, b"w" * 100_000]),
)


@st.composite
def trees(draw) -> dict[str, object]:
    """path -> bytes, ("->", target) or None, such that all of it can stand on a disk."""
    tree: dict[str, object] = {"weights.bin": draw(data)}
    for path in draw(st.lists(paths, max_size=8, unique=True)):
        above = path.split("/")[:-1]
        folders = ["/".join(above[: i + 1]) for i in range(len(above))]
        taken = any(folder in tree and tree[folder] is not None for folder in folders)
        if taken or path in tree:
            continue
        for folder in folders:
            tree[folder] = None
        kind = draw(st.sampled_from(["file", "file", "file", "folder", "link"]))
        if kind == "file":
            tree[path] = draw(data)
        elif kind == "folder":
            tree[path] = None
        else:
            tree[path] = ("->", "../" * draw(st.integers(0, len(above))) + "weights.bin")
    return tree


def add_to(archive: tarfile.TarFile, path: str, what: object) -> None:
    member = tarfile.TarInfo(path)
    member.mtime = 1_700_000_000
    if what is None:
        member.type = tarfile.DIRTYPE
        member.mode = 0o755
        archive.addfile(member)
    elif isinstance(what, tuple):
        member.type = tarfile.SYMTYPE
        member.linkname = what[1]
        archive.addfile(member)
    else:
        assert isinstance(what, bytes)
        member.size = len(what)
        archive.addfile(member, io.BytesIO(what))


@st.composite
def tars(draw) -> tuple[bytes, dict[str, object]]:
    """A tar in a random dialect, in random order, with or without a leading "./"."""
    tree = draw(trees())
    dialect = draw(st.sampled_from(["v7", "ustar", "gnu", "pax"]))
    lead = draw(st.sampled_from(["", "./"]))
    order = draw(st.permutations(sorted(tree)))
    with_folders = draw(st.booleans())
    if dialect in ("v7", "ustar"):  # what cannot be said in them is left out
        tree = {p: w for p, w in tree.items() if len((lead + p).encode()) < 99}
        order = [p for p in order if p in tree]
    implied = {"/".join(p.split("/")[:i]) for p in tree for i in range(1, len(p.split("/")))}
    if not with_folders:
        order = [p for p in order if tree[p] is not None]
        tree = {p: tree[p] for p in order}
        kept = {"/".join(p.split("/")[:i]) for p in tree for i in range(1, len(p.split("/")))}
        tree.update(dict.fromkeys(kept))
    else:
        tree.update(dict.fromkeys(implied))
    if dialect == "v7":
        entries = []
        for path in order:
            what = tree[path]
            if what is None:
                entries.append(a.header(lead + path + "/", typeflag=b"\0", magic=a.V7))
            elif isinstance(what, tuple):
                entries.append(a.symlink(lead + path, what[1], magic=a.V7))
            else:
                entries.append(a.file(lead + path, what, typeflag=b"\0", magic=a.V7))
        return a.tar(*entries), tree
    formats = {
        "ustar": tarfile.USTAR_FORMAT,
        "gnu": tarfile.GNU_FORMAT,
        "pax": tarfile.PAX_FORMAT,
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=formats[dialect]) as archive:
        for path in order:
            add_to(archive, lead + path, tree[path])
    return buffer.getvalue(), tree


@st.composite
def framings(draw, content: bytes) -> bytes:
    members = draw(st.sampled_from([1, 1, 1, 2, 3]))
    cuts = sorted(draw(st.integers(0, len(content))) for _ in range(members - 1))
    framed = b""
    for start, end in zip([0, *cuts], [*cuts, len(content)]):
        head = a.gz_header(
            text=draw(st.booleans()),
            name=draw(st.none() | st.just(b"model.tar")),
            comment=draw(st.none() | st.just(b"")),
            extra=draw(st.none() | st.just(b"ab\x02\x00xy")),
            crc=draw(st.booleans()),
        )
        framed += a.gz(
            content[start:end],
            level=draw(st.sampled_from([0, 1, 6, 9])),
            flush_every=draw(st.sampled_from([0, 0, 1000])),
            head=head,
        )
    return framed + bytes(draw(st.sampled_from([0, 0, 1, 600])))


# Both must do the same: the second of two runs is the zip's, and a single one is either's.
FORMS = st.sampled_from(["modules", "zip"])


def expected(tree: dict[str, object], scripts: dict[str, bytes]) -> dict[str, object]:
    rest = {p: what for p, what in tree.items() if p.split("/")[0] != "code"}
    return {**rest, "code": None, **scripts}


@given(st.data())
@SETTINGS
def test_the_result_unpacks_to_the_original_with_code_replaced(mains, draws):
    content, tree = draws.draw(tars())
    scripts = {"code/inference.py": b"def model_fn(model_dir): ...\n"}
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch))
        bench.put_model(draws.draw(framings(content)))
        mode = draws.draw(st.sampled_from(["auto", "auto", "stream"]))
        assert mains["modules"](bench.arguments("--mode", mode, "--paranoid")) == 0
        first = bench.archive.read_bytes()
        for unpack in (unpack_with_tarfile, unpack_with_gnu_tar):
            target = Path(scratch) / unpack.__name__
            target.mkdir()
            unpack(bench.archive, target)
            assert contents(target) == expected(tree, scripts)

        assert mains["zip"](bench.arguments("--mode", mode)) == 0
        assert bench.archive.read_bytes() == first

        bench.use_package_as_model()
        assert mains["zip"](bench.arguments("--mode", "splice")) == 0
        assert bench.archive.read_bytes() == first


@given(trees(), FORMS)
@SETTINGS
def test_loose_files_come_out_as_they_were(mains, tree, form):
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch))
        for path, what in sorted(tree.items()):
            place = bench.model / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if what is None:
                place.mkdir(exist_ok=True)
            elif isinstance(what, tuple):
                place.symlink_to(what[1])
            else:
                place.write_bytes(what)
        scripts = {"code/inference.py": b"def model_fn(model_dir): ...\n"}
        assert mains[form](bench.arguments("--paranoid")) == 0
        for unpack in (unpack_with_tarfile, unpack_with_gnu_tar):
            target = Path(scratch) / unpack.__name__
            target.mkdir()
            unpack(bench.archive, target)
            assert contents(target) == expected(contents(bench.model), scripts)


@given(st.data())
@SETTINGS
def test_a_cut_or_changed_archive_leaves_nothing_unless_it_says_the_same(mains, draws):
    content, _ = draws.draw(tars())
    framed = draws.draw(framings(content))
    if draws.draw(st.booleans()):
        broken = framed[: draws.draw(st.integers(0, len(framed) - 1))]
    else:
        at = draws.draw(st.integers(0, len(framed) - 1))
        flip = draws.draw(st.integers(1, 255))
        broken = framed[:at] + bytes((framed[at] ^ flip,)) + framed[at + 1 :]
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch))
        bench.put_model(broken)
        exit_code = mains[draws.draw(FORMS)](bench.arguments())
        assert exit_code in (0, 3)
        if exit_code:
            assert bench.leftovers() == []
            assert bench.message()
        else:  # a byte of the header's name, or of the padding: the content is unharmed
            with tarfile.open(bench.archive) as result, tarfile.open(
                fileobj=io.BytesIO(content)
            ) as was:
                kept = [m.name for m in was if m.name.replace("./", "", 1).split("/")[0] != "code"]
                assert [m.name for m in result][-len(kept) :] == kept
