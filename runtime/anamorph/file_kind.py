"""What the first bytes of a file that is no ONNX model look like, for messages."""

from typing import Final

_SIGNATURES: Final = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"RIFF", "a WebP picture or a WAV recording"),
    (b"PK\x03\x04", "a ZIP archive or a PyTorch checkpoint"),
    (b"\x80\x02", "a Python pickle or an old PyTorch checkpoint"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF document"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the file (run: git lfs pull)"),
    (b"GGUF", "a GGUF file"),
)
_WEB_PAGE: Final = (b"<!doctype", b"<html", b"<head", b"<?xml")


def looks_like(head: bytes) -> str:
    """Return what a file looks like, such as ``a web page``; empty if it may be ONNX.

    Args:
        head: Its first bytes, at best 512.
    """
    if not head:
        return "empty (0 bytes)"
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    return _structure(head)


def _structure(head: bytes) -> str:
    """Recognise what has no signature at its very start."""
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_WEB_PAGE):
        return "a web page"
    if head[4:8] == b"ORTM":
        return "an ONNX Runtime .ort file"
    if head[8:10] == b'{"':
        return "a safetensors file"
    # An ONNX file starts with the byte 8, the tag of its IR version.
    if all(byte >= 0x20 or byte in b"\t\r\n" for byte in head):
        return "a text file"
    return ""
