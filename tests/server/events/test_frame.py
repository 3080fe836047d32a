"""Frames, held against a client library's own reading of them."""

import pytest
from websockets.frames import Frame
from websockets.streams import StreamReader

from gpugen_server.events.frame import text_frame


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_a_body_of_any_length_is_one_whole_unmasked_text_message(size):
    body = b"x" * size
    reader = StreamReader()
    reader.feed_data(text_frame(body))
    reader.feed_eof()
    parsing = Frame.parse(reader.read_exact, mask=False)
    with pytest.raises(StopIteration) as done:
        next(parsing)
    frame = done.value.value
    assert (frame.opcode.name, frame.fin, bytes(frame.data)) == ("TEXT", True, body)


def test_the_same_body_is_framed_once():
    body = b'{"type":"log"}'
    assert text_frame(body) is text_frame(body)
