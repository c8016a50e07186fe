"""Downloads, from a server on this machine."""

import hashlib
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import migproj as mp

NAME = "WPP2024_Fertility_by_Age5.csv.gz"
OLD, NEW = b"1,2,3", b"1,2,4"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Publisher:
    """What is published at present, and who asked for it."""

    def __init__(self):
        self.content = OLD
        self.agents = []


@pytest.fixture
def publisher(monkeypatch):
    now = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            now.agents.append(self.headers["User-Agent"])
            self.send_response(200)
            self.send_header("Content-Length", str(len(now.content)))
            self.end_headers()
            self.wfile.write(now.content)

        def log_message(self, *args):
            pass

    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(variable, "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        files = {NAME: f"http://127.0.0.1:{server.server_port}/{NAME}"}
        monkeypatch.setattr(sys.modules["migproj.io.downloads"], "_FILES", files)
        yield now
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path):
    """One that is not there yet."""
    return tmp_path / "cache" / "migproj"


@pytest.fixture
def fetched(publisher, folder):
    with says(f"{NAME}: its checksum is not known", f"sha256='{sha256(OLD)}'"):
        return mp.io.fetch(NAME, folder=folder)


def says(*parts):
    return pytest.warns(mp.DataQualityWarning, match="(?s)" + ".*".join(parts))


def fails(*parts):
    return pytest.raises(mp.SchemaError, match="(?s)" + ".*".join(parts))


def beside(file):
    return file.with_name(f"{NAME}.sha256")


def test_known_files_have_readers():
    assert NAME in mp.io.downloads()
    assert mp.io.downloads() == sorted(mp.io.downloads())
    assert all(name.endswith((".csv.gz", ".xlsx")) for name in mp.io.downloads())


def test_the_first_download(fetched, publisher, folder):
    assert fetched == folder / NAME
    assert fetched.read_bytes() == OLD
    assert beside(fetched).read_bytes() == f"{sha256(OLD)}  {NAME}\n".encode()
    assert sorted(folder.iterdir()) == [fetched, beside(fetched)]
    assert publisher.agents[0].startswith("Mozilla")


def test_later_uses_download_nothing_and_are_verified(fetched, publisher, folder):
    publisher.content = NEW
    assert mp.io.fetch(NAME, folder=folder) == fetched  # without a warning
    assert len(publisher.agents) == 1
    fetched.write_bytes(NEW)
    with fails(NAME, f"expected sha256 {sha256(OLD)}", "first download, in", f"got {sha256(NEW)}",
               "Delete it", "refresh=True"):  # fmt: skip
        mp.io.fetch(NAME, folder=folder)
    assert fetched.read_bytes() == NEW  # still there, to look at


def test_a_new_download_is_compared_with_the_first(fetched, publisher, folder):
    fetched.unlink()
    publisher.content = NEW
    with fails(NAME, f"expected sha256 {sha256(OLD)}", "first download", f"got {sha256(NEW)} from",
               "127.0.0.1", "revised", "refresh=True"):  # fmt: skip
        mp.io.fetch(NAME, folder=folder)
    assert list(folder.iterdir()) == [beside(fetched)]
    publisher.content = OLD
    assert mp.io.fetch(NAME, folder=folder).read_bytes() == OLD


def test_refresh_takes_a_revision_and_tells(fetched, publisher, folder):
    assert mp.io.fetch(NAME, folder=folder, refresh=True).read_bytes() == OLD
    assert len(publisher.agents) == 2
    publisher.content = NEW
    with says(f"{NAME}: another file", f"was {sha256(OLD)} and is {sha256(NEW)}"):
        assert mp.io.fetch(NAME, folder=folder, refresh=True).read_bytes() == NEW
    assert mp.io.fetch(NAME, folder=folder) == fetched
    assert beside(fetched).read_text().split() == [sha256(NEW), NAME]


def test_a_stated_checksum(publisher, folder):
    """Without a warning, and the file is kept with its checksum."""
    file = mp.io.fetch(NAME, folder=folder, sha256=sha256(OLD).upper())
    assert mp.io.fetch(NAME, folder=folder) == file
    with fails(NAME, f"expected sha256 {sha256(NEW)} .sha256=.", f"got {sha256(OLD)}"):
        mp.io.fetch(NAME, folder=folder, sha256=sha256(NEW))
    publisher.content = b"neither"
    with fails(NAME, f"expected sha256 {sha256(NEW)}", f"got {sha256(b'neither')} from"):
        mp.io.fetch(NAME, folder=folder, sha256=sha256(NEW), refresh=True)
    assert mp.io.fetch(NAME, folder=folder).read_bytes() == OLD  # what was there stays
    publisher.content = NEW
    mp.io.fetch(NAME, folder=folder, sha256=sha256(NEW), refresh=True)
    assert mp.io.fetch(NAME, folder=folder).read_bytes() == NEW


@pytest.mark.parametrize("wrong", ["md5:12", sha256(OLD)[:-1], "", 7])
def test_a_checksum_that_is_none(wrong, folder):
    with fails("sha256: expected the 64 hexadecimal digits", str(wrong)):
        mp.io.fetch(NAME, folder=folder, sha256=wrong)
    assert not folder.exists()


def test_files_without_a_readable_checksum(fetched, publisher, folder):
    beside(fetched).unlink()  # as one that was put there by hand
    with says("its checksum is not known"):
        mp.io.fetch(NAME, folder=folder)
    assert len(publisher.agents) == 1
    for text in (b"", b"\xff" * 64):
        beside(fetched).write_bytes(text)
        with fails(f"{NAME}.sha256: expected 64", "Delete it", "refresh=True"):
            mp.io.fetch(NAME, folder=folder)
    with says("its checksum is not known"):
        mp.io.fetch(NAME, folder=folder, refresh=True)
    assert mp.io.fetch(NAME, folder=folder) == fetched


def test_unknown_names(monkeypatch):
    with fails("no file 'WPP2024_Fert'", "There are"):
        mp.io.fetch("WPP2024_Fert")
    with fails("Did you mean"):
        mp.io.fetch("WPP2024_Fertility_by_Age5.csv")
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"needs pooch.*pip install 'migproj\[io\]'"):
        mp.io.fetch(NAME)
