"""Dockerfiles and ignore files, read as BuildKit reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.engine.context import build_digest, context_files, folder_digest
from deploy.model.dockerfile import base_images
from deploy.model.dockerignore import IgnoreRules
from deploy.model.errors import UsageError
from deploy.model.stack import Build


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("FROM python:3.13-slim", ("python:3.13-slim",)),
        ("from --platform=linux/amd64 node:20 as build\nFROM build\nCOPY --from=build /a /b", ("node:20",)),
        ("ARG V=3.13\nFROM python:${V}-slim\nFROM python:$V", ("python:3.13-slim", "python:3.13")),
        ("FROM ${BASE:-alpine}", ("alpine",)),
        (
            "FROM scratch\nCOPY --from=nginx:alpine --chmod=755 /a /b\nCOPY --from=setup x y\nCOPY --from=0 a b",
            ("nginx:alpine",),
        ),
        ("# FROM commented\nFROM \\\n  redis:7", ("redis:7",)),
        ("FROM a\nRUN <<EOF\necho hi\nEOF\nFROM a", ("a",)),
    ],
)
def test_base_images_are_found(text: str, images: tuple[str, ...]) -> None:
    assert base_images(text, {}, {"setup": "/src/setup"}) == images


def test_build_arguments_win_over_defaults() -> None:
    assert base_images("ARG V=1\nFROM x:$V", {"V": "2"}, {}) == ("x:2",)


@pytest.mark.parametrize(
    ("patterns", "ignored", "kept"),
    [
        (["node_modules"], ["node_modules", "node_modules/a/b"], ["src/node_modules"]),
        (["**/node_modules"], ["node_modules/a", "src/node_modules/a"], ["node_modules_of_mine"]),
        (["*.pyc"], ["a.pyc"], ["src/a.pyc"]),
        (["**/*.pyc"], ["a.pyc", "src/deep/a.pyc"], ["a.py"]),
        (["/build/"], ["build/x"], ["src/build"]),
        (["docs/*", "!docs/keep.md"], ["docs/a.md"], ["docs/keep.md", "docs"]),
        (["*", "!src"], ["a", "b/c"], ["src", "src/x/y"]),
        (["a?c"], ["abc"], ["ac", "abbc"]),
        (["[ab].txt"], ["a.txt", "b.txt"], ["c.txt"]),
        (["# comment", "", "  x  "], ["x"], ["# comment"]),
        (["!a", "a"], ["a"], []),
        (["src/**"], ["src/a", "src/a/b"], ["src"]),
        ([r"\*"], ["*"], ["a"]),
        (["."], [], ["a"]),
    ],
)
def test_ignore_rules(patterns: list[str], ignored: list[str], kept: list[str]) -> None:
    rules = IgnoreRules(patterns)

    assert [path for path in ignored if not rules.ignores(path)] == []
    assert [path for path in kept if rules.ignores(path)] == []


def make(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def build(folder: Path) -> Build:
    return Build(str(folder), "Dockerfile", {"context": str(folder), "dockerfile": "Dockerfile"})


def test_equal_trees_have_equal_digests_wherever_they_stand(tmp_path: Path) -> None:
    first = make(tmp_path / "first", Dockerfile="FROM a", src__app="x")
    second = make(tmp_path / "elsewhere" / "second", Dockerfile="FROM a", src__app="x")
    (second / "src" / "app").chmod(0o664)

    assert build_digest(build(first), "web") == build_digest(build(second), "web")


def test_whatever_reaches_the_image_changes_the_digest(tmp_path: Path) -> None:
    folder = make(tmp_path / "app", Dockerfile="FROM a", src__app="x", tests__t="t", _dot_dockerignore="tests")
    seen = [build_digest(build(folder), "web")]

    def step() -> None:
        seen.append(build_digest(build(folder), "web"))

    make(folder, src__app="y")
    step()
    (folder / "src" / "app").chmod(0o755)
    step()
    (folder / "src" / "link").symlink_to("app")
    step()
    make(folder, Dockerfile="FROM b")
    step()
    (folder / "empty").mkdir()
    step()
    assert len(set(seen)) == len(seen)

    make(folder, tests__t="ignored")
    assert build_digest(build(folder), "web") == seen[-1]


def test_the_ignore_file_beside_the_dockerfile_wins(tmp_path: Path) -> None:
    folder = make(tmp_path, Dockerfile="FROM a", a="1", b="2", _dot_dockerignore="a")
    (folder / "Dockerfile.dockerignore").write_text("b")
    before = build_digest(build(folder), "web")
    (folder / "b").write_text("changed")

    assert build_digest(build(folder), "web") == before


def test_exceptions_below_an_ignored_folder_are_found(tmp_path: Path) -> None:
    make(tmp_path, src__keep__a="1", src__drop__b="2")
    rules = IgnoreRules(["src", "!src/keep"])

    assert {relative for _, relative in context_files(tmp_path, rules)} == {"src/keep", "src/keep/a"}


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    make(tmp_path, real__a="1")
    (tmp_path / "loop").symlink_to(tmp_path)

    assert folder_digest(tmp_path, IgnoreRules(()))


@pytest.mark.parametrize(("context", "what"), [("missing", "context: no folder"), ("empty", "dockerfile: no file")])
def test_a_missing_context_or_dockerfile_is_named(tmp_path: Path, context: str, what: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(UsageError, match=what):
        build_digest(build(tmp_path / context), "web")
