"""The folder of a server: of one process, and named in no message."""

from collections.abc import Iterator

import pytest

from anamorph_ui.limits import Limits
from anamorph_ui.workshop import Workshop


@pytest.fixture
def workshop() -> Iterator[Workshop]:
    made = Workshop(Limits(), device="cpu")
    yield made
    made.close()
    assert not made.folder.exists()


def test_messages_name_files_as_their_owners_do(workshop: Workshop) -> None:
    given = workshop.new_folder() / "given" / "my voice.wav"
    page = workshop.page_folder / "0123" / "cat.jpg"
    batch = workshop.new_folder(shown=True) / "12" / "cat-x4.png"
    model = workshop.folder / "models" / "own-1.onnx"
    text = f"{given}: is none; nor {page}, {batch}; {model}: fails at /encoder/conv, /etc/hosts"
    assert workshop.without_folders(text) == (
        "my voice.wav: is none; nor cat.jpg, cat-x4.png; own-1.onnx: fails at /encoder/conv, "
        "/etc/hosts"
    )
