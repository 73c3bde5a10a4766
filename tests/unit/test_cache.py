"""Layers kept for later differences: only whole ones, only what they were, and not more than so much."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from deploy.push import cache as module
from deploy.push.cache import LayerCache, cache_folder


def diff_id(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LayerCache:
    monkeypatch.setattr(module, "RESERVE_BYTES", 0)
    return LayerCache(tmp_path / "layers")


def kept(cache: LayerCache, content: bytes) -> str:
    assert list(cache.keep(diff_id(content), [content[:3], content[3:]])) == [content[:3], content[3:]]
    return diff_id(content)


def test_a_layer_that_passed_whole_is_kept(cache: LayerCache) -> None:
    layer = kept(cache, b"a layer")
    assert cache.has(layer)
    assert cache.read(layer) == b"a layer"
    assert list(cache.keep(layer, [b"a layer"])) == [b"a layer"], "and passes again"


def test_half_a_layer_is_not_kept(cache: LayerCache, tmp_path: Path) -> None:
    passing = cache.keep(diff_id(b"whole"), iter([b"wh", b"ole"]))
    next(passing)
    passing.close()  # type: ignore[attr-defined]  # a generator, as every cut stream leaves it

    assert not cache.has(diff_id(b"whole"))
    assert list((tmp_path / "layers").iterdir()) == []


def test_what_is_no_longer_the_layer_is_none(cache: LayerCache, tmp_path: Path) -> None:
    layer = kept(cache, b"a layer")
    (tmp_path / "layers" / layer.partition(":")[2]).write_bytes(b"another")
    assert cache.read(layer) is None
    assert not cache.has(layer)


def test_the_oldest_goes_first(cache: LayerCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 20)
    old, newer = kept(cache, b"the old one"), kept(cache, b"newer")
    os.utime(tmp_path / "layers" / old.partition(":")[2], (1, 1))
    newest = kept(cache, b"the newest")
    assert [cache.has(one) for one in (old, newer, newest)] == [False, True, True]


def test_a_full_disk_keeps_nothing_and_stops_nothing(cache: LayerCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESERVE_BYTES", shutil.disk_usage("/").total + 1)
    assert not cache.has(kept(cache, b"a layer"))


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not LayerCache(tmp_path / "file" / "layers").has(kept(LayerCache(tmp_path / "file" / "layers"), b"a layer"))


def test_the_cache_is_where_a_user_keeps_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/windlass/layers")
