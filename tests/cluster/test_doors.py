"""Connections to an actor beside Ray's: who is answered, and that no answer goes astray."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import selectors
import socket
import struct
import threading
import time

import pytest
from cluster_nodes import wait_until

from hashret.cluster.replicas import door as doors
from hashret.cluster.replicas import line as lines
from hashret.cluster.replicas import wire as wires
from hashret.cluster.replicas.door import Door
from hashret.cluster.replicas.line import Line, LineError

KEY = b"a key of both sides"


@pytest.fixture
def open_door():
    made = []

    def make(answer=lambda message: message[::-1], at_once=4):
        made.append(Door("127.0.0.1", KEY, answer, at_once))
        return made[-1]

    yield make
    for each in made:
        each.close()


def answer_of(exchange, seconds=20):
    """Wait for an answer as a caller's thread does."""
    with selectors.DefaultSelector() as selector:
        selector.register(exchange.fileno(), selectors.EVENT_READ)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            selector.select(1)
            if (message := exchange.read()) is not None:
                return message
    raise TimeoutError


@pytest.mark.parametrize("size", [0, 1, 7, 2**16])
def test_messages_of_any_size(open_door, size):
    line = Line(open_door(lambda message: message * 40).address, KEY)
    message = os.urandom(size)
    for _ in range(3):
        assert answer_of(line.ask(message)) == message * 40
    # Longer ones are left to Ray.
    assert line.ask(bytes(2**16 + 1)) is None
    line.close()
    assert line.ask(b"x") is None


def asked(line, message, seconds=20):
    """Ask as soon as a connection is free."""
    end = time.monotonic() + seconds
    while (exchange := line.ask(message)) is None and time.monotonic() < end:
        time.sleep(1e-3)
    return exchange


def test_no_answer_goes_to_another_question(open_door):
    """Some are waited for by threads, some by an event loop, some by nobody any more."""
    line = Line(open_door(lambda message: (time.sleep(message[0] / 1e5), message)[1]).address, KEY)

    def by_thread(seed):
        rng = random.Random(seed)
        for turn in range(60):
            message = bytes([rng.randrange(256), seed, turn])
            exchange = asked(line, message)
            if rng.random() < 0.3:
                exchange.forget(lambda: None)
            else:
                assert answer_of(exchange) == message

    async def by_loop(seed):
        rng = random.Random(seed)
        for turn in range(60):
            message = bytes([rng.randrange(256), seed, turn])
            while (exchange := line.ask(message)) is None:
                await asyncio.sleep(1e-3)
            future = exchange.future()
            if rng.random() < 0.3:
                # It is read when it comes, and its connection used again.
                continue
            assert await future == message
        end = time.monotonic() + 20
        while line._busy and time.monotonic() < end:
            await asyncio.sleep(0.01)

    failed = []

    def noted(run, *given):
        try:
            run(*given)
        except BaseException as error:
            failed.append(error)

    async def all_of():
        await asyncio.gather(*map(by_loop, range(4, 8)))

    threads = [threading.Thread(target=noted, args=[by_thread, seed]) for seed in range(4)]
    threads.append(threading.Thread(target=noted, args=[asyncio.run, all_of()]))
    for each in threads:
        each.daemon = True
        each.start()
    for each in threads:
        each.join(60)
    assert not failed
    assert not any(each.is_alive() for each in threads)
    assert not line._busy
    assert len(line._idle) <= lines._IDLE
    line.close()


@pytest.mark.parametrize("key", [b"another key", b""])
def test_who_does_not_know_the_key_is_not_answered(open_door, key, caplog):
    asked = []
    door = open_door(asked.append)
    for _ in range(3):
        with pytest.raises(OSError, match=r"does not know the key|closed"):
            Line(door.address, key)
    wait_until(lambda: "does not know the key" in caplog.text, 20)
    # It is told once, however many come.
    assert len(caplog.records) == 1
    assert not asked


def test_a_door_without_the_key_is_not_believed():
    """What has taken the port of an actor that has ended is sent nothing, and nothing is read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        impostor = threading.Thread(target=_pretend, args=[server], daemon=True)
        impostor.start()
        with pytest.raises(OSError, match=r"does not know the key|closed"):
            Line(server.getsockname()[:2], KEY)
        impostor.join(20)


def _pretend(server):
    joined, _ = server.accept()
    with joined, contextlib.suppress(OSError):
        wires.welcome(joined, b"guessed")


@pytest.mark.parametrize("said", [b"", struct.pack("<Q", 3) + b"abc", struct.pack("<Q", 2**62)])
def test_another_server_at_the_port_is_an_error(said, monkeypatch):
    monkeypatch.setattr(wires, "_GREETING", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = []

        def answer():
            taken.append(server.accept()[0])
            taken[0].sendall(said)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        start = time.monotonic()
        with pytest.raises(OSError, match=r"know the key|timed out|are expected"):
            Line(server.getsockname()[:2], KEY)
        assert time.monotonic() < start + 5
        thread.join(20)
        taken[0].close()


def test_a_greeting_has_one_time_in_all(open_door, monkeypatch):
    """Whoever sends a byte now and then does not keep its room."""
    monkeypatch.setattr(wires, "_GREETING", 0.3)
    door = open_door()
    with socket.create_connection(door.address) as stranger:
        end = time.monotonic() + 20
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < end:
                stranger.sendall(b"\0")
                time.sleep(0.02)
        assert time.monotonic() < end
    wait_until(lambda: door._room._value == doors._VISITORS, 20)


NOISE = {
    "nothing": b"",
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long length": struct.pack("<Q", 2**63) + b"x",
    "short": struct.pack("<Q", 100) + b"x",
    "pickle": struct.pack("<Q", 8) + b"\x80\x05cos\n.." + b"x",
    "no challenge": struct.pack("<Q", 3) + b"abc",
}


@pytest.mark.parametrize("noise", NOISE)
def test_whoever_comes_beside_holds_up_nobody(open_door, noise, monkeypatch):
    door = open_door()
    line = Line(door.address, KEY)
    monkeypatch.setattr(wires, "_GREETING", 0.2)
    strangers = [socket.create_connection(door.address) for _ in range(9)]
    for each in strangers:
        each.sendall(NOISE[noise])
    assert answer_of(line.ask(b"abc")) == b"cba"
    # They are sent away in time, and their room is free again.
    for each in strangers:
        each.settimeout(20)
        with contextlib.suppress(ConnectionResetError):
            while each.recv(999):
                pass
        each.close()
    wait_until(lambda: door._room._value == doors._VISITORS - 1, 20)
    line.close()


def test_what_is_too_much_is_left_to_ray(open_door, monkeypatch):
    monkeypatch.setattr(lines, "_MOST", 3)
    free = threading.Event()
    line = Line(open_door(lambda message: free.wait() and message).address, KEY)
    exchanges = [asked(line, b"1") for _ in range(3)]
    for _ in range(9):
        assert line.ask(b"2") is None
        time.sleep(0.01)
    free.set()
    assert [answer_of(each) for each in exchanges] == [b"1"] * 3
    assert answer_of(line.ask(b"3")) == b"3"
    line.close()


def test_a_full_house_takes_no_more_and_more_again(monkeypatch):
    monkeypatch.setattr(doors, "_VISITORS", 1)
    door = Door("127.0.0.1", KEY, bytes, at_once=4)
    line = Line(door.address, KEY)
    with pytest.raises(ConnectionError):
        Line(door.address, KEY)
    assert answer_of(line.ask(b"1")) == b"1"
    line.close()
    wait_until(lambda: door._room._value == 1, 20)
    again = Line(door.address, KEY)
    assert answer_of(again.ask(b"2")) == b"2"
    again.close()
    door.close()


def test_no_more_calls_at_once_than_there_may_be(open_door):
    here, most, lock = [0], [0], threading.Lock()

    def answer(message):
        with lock:
            here[0] += 1
            most[0] = max(most[0], here[0])
        time.sleep(0.02)
        with lock:
            here[0] -= 1
        return message

    line = Line(open_door(answer, at_once=2).address, KEY)
    assert [answer_of(each) for each in [asked(line, b"1") for _ in range(9)]] == [b"1"] * 9
    assert most == [2]
    line.close()


def test_one_that_ends_is_told(open_door):
    def answer(message):
        raise ConnectionResetError

    line = Line(open_door(answer).address, KEY)
    with pytest.raises(LineError):
        answer_of(line.ask(b"1"))

    async def by_loop():
        while (exchange := line.ask(b"2")) is None:
            await asyncio.sleep(1e-3)
        future = exchange.future()
        with pytest.raises(LineError):
            await future

    asyncio.run(by_loop())
    line.close()


def test_closing_wakes_those_that_wait(open_door):
    free = threading.Event()
    line = Line(open_door(lambda message: free.wait() and message).address, KEY)

    async def by_loop():
        future = line.ask(b"1").future()
        asyncio.get_running_loop().call_later(0.05, line.close)
        with pytest.raises(LineError):
            await asyncio.wait_for(future, 20)

    asyncio.run(by_loop())
    free.set()


def test_a_door_that_is_gone_is_an_error(open_door):
    door = open_door()
    line = Line(door.address, KEY)
    answer_of(line.ask(b"1"))
    door.close()
    with pytest.raises(ConnectionRefusedError):
        Line(door.address, KEY)
    # Its connections go on; one that is cut is an error, and there are none for the next question.
    line._idle[0].end()
    with pytest.raises(LineError):
        line.ask(b"2")
    for _ in range(9):
        assert line.ask(b"3") is None
        time.sleep(0.01)
    line.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_copy_of_the_process_does_not_use_its_connections(open_door):
    line = Line(open_door().address, KEY)
    child = os.fork()
    if not child:
        try:
            os._exit(line.ask(b"1") is not None)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert answer_of(line.ask(b"12")) == b"21"
    line.close()
