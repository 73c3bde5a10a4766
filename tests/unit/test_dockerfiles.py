"""Dockerfiles and ignore files, read as BuildKit reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.engine.context import build_digest, context_files, folder_digest, migrations_in
from deploy.engine.frontends import readable
from deploy.model.command import Command
from deploy.model.dockerfile import base_images, frontend, without_frontend
from deploy.model.dockerignore import IgnoreRules
from deploy.model.errors import UsageError
from deploy.model.migrations import Django
from deploy.model.stack import Build


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("FROM python:3.13-slim", ("python:3.13-slim",)),
        ("from --platform=linux/amd64 node:20 as build\nFROM build\nCOPY --from=build /a /b", ("node:20",)),
        (
            "ARG V=3.13\nFROM python:${V}-slim AS a\nFROM python:$V\nCOPY --from=a b c",
            ("python:3.13-slim", "python:3.13"),
        ),
        ("FROM a\nFROM b\nRUN --mount=type=bind,from=c,target=/c x", ("b", "c")),
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


def test_what_only_other_stages_need_is_not_needed() -> None:
    text = "FROM python AS builder\nFROM builder AS tools\nCOPY --from=tools/image / /\n"
    text += "FROM nginx\nCOPY --from=builder a b"

    assert base_images(text, {}, {}, "builder") == ("python",)
    assert base_images(text, {}, {}, "tools") == ("python", "tools/image")
    assert base_images(text, {}, {}) == ("python", "nginx")


def test_a_dockerfile_asks_for_its_reader_in_its_first_lines() -> None:
    text = "# escape=`\n# syntax = docker/dockerfile:1.4\nFROM a\n"

    assert frontend(text) == "docker/dockerfile:1.4"
    assert without_frontend(text) == "# escape=`\n#\nFROM a\n"
    assert frontend("FROM a\n# syntax=b\n") == ""
    assert without_frontend("FROM a\n") == "FROM a\n"


def test_without_its_reader_a_dockerfile_is_read_by_the_builder(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("# syntax=docker/dockerfile:1\nFROM a\n")
    (tmp_path / "Dockerfile.dockerignore").write_text("b\n")
    (tmp_path / "Other").write_text("# syntax=acme/language\nhello\n")
    own = Build(str(tmp_path), "Dockerfile", {})
    inline = Build(
        str(tmp_path), "Dockerfile", {"dockerfile_inline": "#syntax=docker.io/docker/dockerfile:1\nFROM b\n"}
    )
    builds = {"own": own, "inline": inline, "other": Build(str(tmp_path), "Other", {})}

    with readable(builds, lambda _: False) as found:
        texts = {name: Path(file).read_text() for name, file in found.items()}
        assert Path(f"{found['own']}.dockerignore").read_text() == "b\n"
    assert texts == {"own": "#\nFROM a\n", "inline": "#\nFROM b\n"}
    with readable(builds, lambda _: True) as found:
        assert found == {}


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


def test_migrations_are_read_from_what_a_build_sees(tmp_path: Path) -> None:
    for name in (
        "shop/migrations/0002_b",
        "shop/migrations/0001_a",
        "shop/migrations/__init__",
        "old/migrations/0001_x",
    ):
        file = tmp_path / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / ".dockerignore").write_text("old\n")

    assert migrations_in(build(tmp_path), Django(Command("manage.py"), ())) == ("shop.0001_a", "shop.0002_b")


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


def test_where_a_build_finds_its_cache_does_not_change_what_it_makes(tmp_path: Path) -> None:
    folder = make(tmp_path, Dockerfile="FROM a")
    plain = build(folder)
    cached = Build(str(folder), "Dockerfile", {**plain.definition, "cache_from": ["x"], "cache_to": ["x"]})

    assert build_digest(cached, "web") == build_digest(plain, "web")


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
