"""Downloads, without a network."""

import sys

import pooch
import pytest

import migproj as mp

NAME = "WPP2024_Fertility_by_Age5.csv.gz"


def test_known_files_have_readers():
    assert NAME in mp.io.downloads()
    assert mp.io.downloads() == sorted(mp.io.downloads())
    assert all(name.endswith((".csv.gz", ".xlsx")) for name in mp.io.downloads())


def test_fetch(tmp_path, monkeypatch):
    asked = []

    def retrieve(url, **options):
        asked.append((url, options))
        return str(options["path"] / options["fname"])

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.warns(mp.DataQualityWarning, match=f"{NAME}: its checksum is not known"):
        file = mp.io.fetch(NAME, folder=tmp_path)
    assert file == tmp_path / NAME
    url, options = asked[0]
    assert url.startswith("https://population.un.org/")
    assert url.endswith(NAME)
    assert options["known_hash"] is None
    agent = options["downloader"].kwargs["headers"]["User-Agent"]
    assert agent.startswith("Mozilla")


def test_a_known_checksum_is_checked_without_a_warning(tmp_path, monkeypatch):
    kept = tmp_path / "x.csv.gz"
    kept.write_bytes(b"1,2,3")
    known = {"x.csv.gz": ("https://example.org/x.csv.gz", f"sha256:{pooch.file_hash(str(kept))}")}
    monkeypatch.setattr(sys.modules["migproj.io.downloads"], "_FILES", known)
    assert mp.io.fetch("x.csv.gz", folder=tmp_path) == kept  # there: no network needed


def test_unknown_names(monkeypatch):
    with pytest.raises(mp.SchemaError, match=r"(?s)no file 'WPP2024_Fert'.*There are"):
        mp.io.fetch("WPP2024_Fert")
    with pytest.raises(mp.SchemaError, match="Did you mean"):
        mp.io.fetch("WPP2024_Fertility_by_Age5.csv")
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"needs pooch.*pip install 'migproj\[io\]'"):
        mp.io.fetch(NAME)
