from gpugen_protocol.state import MOVES, STATES, TERMINAL, may_move


def test_terminal_states_never_change():
    assert {"succeeded", "failed", "canceled"} == TERMINAL
    assert not any(may_move(old, new) for old in TERMINAL for new in STATES)


def test_every_state_can_be_reached_and_left_for_a_terminal_one():
    assert set(MOVES) == set(STATES)
    assert {new for moves in MOVES.values() for new in moves} == set(STATES)
    assert all(MOVES[state] & TERMINAL for state in STATES if state not in TERMINAL)


def test_nothing_succeeds_without_running():
    assert not may_move("queued", "succeeded")
    assert may_move("running", "queued")
