"""Data sets of Kaggle, through its own client and the owner's own login."""

import io
import shutil
import tempfile
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from thirdshift.data_sources import KaggleSource
from thirdshift.errors import SourceUnavailable

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi


def write_set(source: KaggleSource, into: Path) -> dict[str, str]:
    """Write one file of a data set; raises SourceUnavailable without login, access or file."""
    from requests.exceptions import RequestException

    with tempfile.TemporaryDirectory(dir=into.parent) as folder:
        try:
            with redirect_stdout(io.StringIO()):
                _client().dataset_download_file(source.dataset, source.file, path=folder)
        except (RequestException, ValueError, OSError) as error:
            raise SourceUnavailable(
                f"Kaggle did not give {source.dataset}/{source.file}: {error}.",
                "Look at the data set's page: is it public, have you accepted its terms?",
            ) from error
        shutil.move(_unpacked(Path(folder), source), into)
    return {}


def _client() -> "KaggleApi":
    """Return Kaggle's client, logged in. Without a login it prints, and ends the process."""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            from kaggle.api.kaggle_api_extended import KaggleApi

            client = KaggleApi()
            client.authenticate()
    except SystemExit:
        raise SourceUnavailable(
            "Kaggle wants a login, and this user has none.", "Log in with `kaggle auth login`."
        ) from None
    return client


def _unpacked(folder: Path, source: KaggleSource) -> Path:
    for archive in folder.glob("*.zip"):
        with zipfile.ZipFile(archive) as files:
            files.extractall(folder)
        archive.unlink()
    wanted = [file for file in folder.rglob("*") if file.name == Path(source.file).name]
    if not wanted:
        raise SourceUnavailable(f"{source.dataset} has no file {source.file}.")
    return wanted[0]
