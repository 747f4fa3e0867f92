"""A worker in Python, with the standard library alone: what docs/protocol.md says, line by line. Values are in values.py.

    python3 worker.py ws://127.0.0.1:7070/ [identity]

The token, if the runner wants one, is read from POWERHOSE_TOKEN. SIGTERM finishes what runs and leaves.
"""

import base64
import hashlib
import json
import os
import random
import signal
import socket
import ssl
import struct
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

from values import decode, encode

HELLO, WELCOME, PING, PONG = 0x01, 0x02, 0x03, 0x04
JOB, JOBRES, JOBERR, REJECT, CANCEL, CANCELLED = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
REMOVE, REMOVED, GOAWAY, ERROR = 0x20, 0x21, 0x22, 0x7F
DRAINING, RECALLED, PROTOCOL = 1, 5, 1
FINAL_ERRORS = {1: "PROTOCOL", 2: "VERSION", 3: "UNAUTHORIZED", 4: "ID_TAKEN"}
# Features, and bits of flags.
TASKS, DETAILS = 1 << 0, 1 << 4
IS_BYTES, HAS_TASK, HAS_DETAILS, HAS_VALUES = 1, 4, 4, 8
CAPACITY = 4
MAX_JOB = 1 << 20


class Closed(Exception):
    """The connection is over."""


class Refused(Exception):
    """The runner will never let this worker in."""


class Retry(Exception):
    """A handler raises it when another attempt makes sense."""

    def __init__(self, message, after_ms=0):
        super().__init__(message)
        self.after_ms = after_ms


# The text form of a job.


def read_headers(section_and_data):
    """Splits the text form into a dict of headers and the bytes of the data. One pass, and strict."""
    at = 0

    def name():
        nonlocal at
        out = bytearray()
        if section_and_data[at : at + 3] == b"\\e:":
            at += 3
            return ""
        while section_and_data[at : at + 1] != b":":
            byte = section_and_data[at : at + 1]
            if byte == b"\\":
                byte = section_and_data[at + 1 : at + 2]
                if byte not in (b"\\", b":") or byte == b"":
                    raise ValueError("an unknown escape")
                at += 1
            if byte == b"":
                raise ValueError("no end of the headers")
            out += byte
            at += 1
        at += 1
        if not out:
            raise ValueError("an empty name")
        return out.decode()

    def value(is_first_none):
        nonlocal at
        out = bytearray()
        if is_first_none and section_and_data[at : at + 5] == b"\\e:::":
            at += 2
            return ""
        while at < len(section_and_data) and section_and_data[at : at + 1] != b":":
            byte = section_and_data[at : at + 1]
            if byte == b"\\":
                byte = section_and_data[at + 1 : at + 2]
                if byte not in (b"\\", b":") or byte == b"":
                    raise ValueError("an unknown escape")
                at += 1
            out += byte
            at += 1
        return out.decode()

    if section_and_data.startswith(b"NONE:::"):
        return {}, section_and_data[7:]
    headers = {}
    while True:
        key = name()
        if key in headers:
            raise ValueError("a name that is there twice")
        headers[key] = value(key == "NONE" and not headers)
        if section_and_data[at : at + 3] == b":::":
            return headers, section_and_data[at + 3 :]
        if section_and_data[at : at + 2] != b"::":
            raise ValueError("no end of the headers")
        at += 2


# WebSocket, as far as a client needs it (RFC 6455).


class WebSocket:
    def __init__(self, url, token):
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "wss" else 80)
        self.socket = socket.create_connection((parts.hostname, port), timeout=10)
        if parts.scheme == "wss":
            self.socket = ssl.create_default_context().wrap_socket(self.socket, server_hostname=parts.hostname)
        self.file = self.socket.makefile("rb")
        self.lock = threading.Lock()
        self._handshake(parts, token)
        self.socket.settimeout(None)

    def _handshake(self, parts, token):
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {parts.path or '/'} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Protocol: powerhose.v1",
        ]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = self.file.readline().split(b" ")
        headers = {}
        while (line := self.file.readline()) not in (b"\r\n", b""):
            field, _, content = line.decode("latin-1").partition(":")
            headers[field.strip().lower()] = content.strip()
        code = status[1].decode() if len(status) > 1 else "none"
        if code in ("401", "403"):
            raise Refused(f"HTTP {code}")
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        if code != "101" or headers.get("sec-websocket-accept") != base64.b64encode(digest).decode():
            raise Closed(f"no WebSocket there (HTTP {code})")
        if headers.get("sec-websocket-protocol") != "powerhose.v1":
            raise Closed("it does not speak powerhose.v1")

    def send(self, payload, opcode=0x2):
        size = len(payload)
        if size < 126:
            head = struct.pack(">BB", 0x80 | opcode, 0x80 | size)
        elif size < 65536:
            head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, size)
        mask = os.urandom(4)
        stream = mask * (size // 4 + 1)
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(stream[:size], "big")).to_bytes(size, "big")
        try:
            with self.lock:
                self.socket.sendall(head + mask + masked)
        except OSError as error:
            raise Closed(str(error)) from error

    def _read(self, size):
        try:
            data = self.file.read(size)
        except (OSError, ValueError) as error:
            raise Closed(str(error)) from error
        if len(data) < size:
            raise Closed("the connection was lost")
        return data

    def receive(self):
        """The next binary message, fragments put together."""
        message = b""
        while True:
            first, second = self._read(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", self._read(2))
            elif size == 127:
                (size,) = struct.unpack(">Q", self._read(8))
            payload = self._read(size)
            opcode = first & 0x0F
            if opcode == 0x8:
                self.send(payload[:2], 0x8)
                raise Closed("closed by the runner")
            if opcode == 0x9:
                self.send(payload, 0xA)
            elif opcode in (0x0, 0x2):
                message += payload
                if first & 0x80:
                    return message

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


# Messages.


def text(words, limit=0xFFFF):
    """A `text`, cut at the end of a character."""
    data = words.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore").encode()
    return struct.pack(">H", len(data)) + data


def message(kind, body=b""):
    return struct.pack(">BI", kind, len(body)) + body


def messages(frame):
    at = 0
    while at < len(frame):
        kind, size = struct.unpack_from(">BI", frame, at)
        if at + 5 + size > len(frame):
            raise ValueError("a frame that ends within a message")
        yield kind, frame[at + 5 : at + 5 + size]
        at += 5 + size


def names(body, at):
    """The fields of the `name`s from `at` to the end."""
    found = []
    while at < len(body):
        (size,) = struct.unpack_from(">H", body, at)
        found.append(body[at + 2 : at + 2 + size].decode())
        at += 2 + size
    return found


class Session:
    """One connection, from HELLO to its end."""

    def __init__(self, worker, ws):
        self.worker, self.ws = worker, ws
        self.welcome = False
        self.leaving = False
        self.retry_after = 0
        self.lock = threading.Lock()
        # Attempts in flight, each with the event that asks its handler to stop.
        self.attempts = {}
        self.heard = time.monotonic()
        self.heartbeat = 10.0
        self.over = threading.Event()
        self.max_result = 0
        self.features = 0
        self.runner_id = ""

    def run(self):
        hello = struct.pack(">HIBHIQ", 1, TASKS | DETAILS, 0, CAPACITY - self.worker.orphans, MAX_JOB, self.worker.served)
        hello += text(self.worker.identity) + text(self.worker.instance)
        hello += bytes([len(self.worker.tasks)]) + b"".join(text(f"task:{name}") for name in self.worker.tasks)
        self.ws.send(message(HELLO, hello))
        threading.Thread(target=self._beat, daemon=True).start()
        try:
            while True:
                frame = self.ws.receive()
                self.heard = time.monotonic()
                for kind, body in messages(frame):
                    self._on_message(kind, body)
        except ValueError as error:
            self.ws.send(message(ERROR, struct.pack(">BI", PROTOCOL, 0) + text(str(error), 1024)))
            raise Closed(str(error)) from error
        finally:
            self.over.set()
            self.ws.close()
            with self.lock:
                # Their results are for no session any more, and their slots are taken until they return.
                self.worker.orphans += len(self.attempts)
                for stop in self.attempts.values():
                    stop.set()

    def leave(self):
        with self.lock:
            if self.leaving or not self.welcome:
                return
            self.leaving = True
        self.ws.send(message(REMOVE))

    def _beat(self):
        nonce = 0
        while not self.over.wait(self.heartbeat):
            if time.monotonic() - self.heard >= 3 * self.heartbeat:
                return self.ws.close()
            try:
                self.ws.send(message(PING, struct.pack(">I", nonce & 0xFFFFFFFF)))
            except Closed:
                return None
            nonce += 1

    def _on_message(self, kind, body):
        if kind == WELCOME:
            _version, heartbeat, self.max_result, self.features = struct.unpack_from(">HIII", body)
            _session, self.runner_id = names(body, 14)
            self.heartbeat = heartbeat / 1000
            self.welcome = True
            self.worker.was_welcome = True
            if self.worker.stopping.is_set():
                self.leave()
        elif kind == PING:
            self.ws.send(message(PONG, body))
        elif kind == PONG:
            pass
        elif kind == JOB:
            self._on_job(body)
        elif kind == CANCEL:
            attempt, reason = struct.unpack(">QB", body)
            # A job that waits for its turn could be handed back: this worker has none, it never offers a prefetchLimit.
            with self.lock:
                stop = self.attempts.get(attempt)
            if stop is not None and reason != RECALLED:
                stop.set()
        elif kind == GOAWAY:
            _reason, self.retry_after = struct.unpack(">BI", body)
            self.leaving = True
        elif kind == REMOVED:
            raise Closed("the runner let it go")
        elif kind == ERROR:
            code, self.retry_after = struct.unpack_from(">BI", body)
            words = f"{FINAL_ERRORS.get(code, code)}: {names(body, 5)[0]}"
            if code in FINAL_ERRORS and not self.worker.was_welcome:
                raise Refused(words)
            raise Closed(words)
        else:
            raise ValueError(f"an unknown message 0x{kind:02x}")

    def _on_job(self, body):
        attempt, number, job_id, _ttl, flags = struct.unpack_from(">QIQIB", body)
        if flags & ~(IS_BYTES | HAS_TASK if self.features & TASKS else IS_BYTES):
            raise ValueError("unknown flags of a JOB")
        at, task = 25, None
        if flags & HAS_TASK:
            (size,) = struct.unpack_from(">H", body, at)
            at, task = at + 2 + size, body[at + 2 : at + 2 + size].decode()
        headers, data = read_headers(body[at:])
        if self.leaving:
            return self.ws.send(message(REJECT, struct.pack(">QB", attempt, DRAINING)))
        job = data if flags & IS_BYTES else data.decode()
        stop = threading.Event()
        with self.lock:
            self.attempts[attempt] = stop
        context = {"stop": stop, "attempt": number, "job_id": f"{self.runner_id}:{job_id}"}
        threading.Thread(target=self._execute, args=(attempt, task, job, headers, context), daemon=True).start()

    def _execute(self, attempt, task, job, headers, context):
        try:
            run = self.worker.handler if task is None else self._task(task)
            answer = self._result(attempt, run(job, headers, context))
        except Exception as error:  # Whatever a handler raises fails its job, and nothing else.
            answer = self._error(attempt, error, task is not None)
        with self.lock:
            is_over = self.over.is_set()
            self.attempts.pop(attempt, None)
            self.worker.served += 1
            if is_over:
                self.worker.orphans -= 1
        if is_over:
            return
        if context["stop"].is_set():
            answer = message(CANCELLED, struct.pack(">Q", attempt))
        try:
            self.ws.send(answer)
        except Closed:
            pass

    def _result(self, attempt, value):
        data = value if isinstance(value, bytes) else value.encode()
        if len(data) > self.max_result:
            raise OverflowError(f"the result has {len(data)} bytes, over the runner's limit of {self.max_result}")
        return message(JOBRES, struct.pack(">QB", attempt, isinstance(value, bytes)) + data)

    def _task(self, name):
        """The task as a handler of bytes, which are values."""
        if name not in self.worker.tasks:
            raise LookupError(f"no task {name}")
        run = self.worker.tasks[name]
        return lambda job, headers, context: encode(run(decode(job), headers, context))

    def _error(self, attempt, error, is_task):
        retryable = isinstance(error, Retry)
        code = "RESULT_TOO_LARGE" if isinstance(error, OverflowError) else ""
        words = text(type(error).__name__, 256) + text(str(error), 8192) + text(code, 256) + text("")
        flags = int(retryable)
        if is_task and vars(error) and self.features & DETAILS:
            # Its own fields as values: the first of a list, which `details` names.
            try:
                values = encode([vars(error)])
                if len(values) <= 16384:
                    flags |= HAS_DETAILS | HAS_VALUES
                    words += text(json.dumps({"fields": 0})) + values
            except ValueError:
                pass  # what cannot be carried costs the fields and not the error
        return message(JOBERR, struct.pack(">QBI", attempt, flags, error.after_ms if retryable else 0) + words)


class Worker:
    """Connects, serves, comes back."""

    def __init__(self, url, handler, tasks, identity, token=None):
        self.url, self.handler, self.tasks, self.identity, self.token = url, handler, tasks, identity, token
        self.instance = os.urandom(8).hex()
        self.served = 0
        self.orphans = 0
        self.was_welcome = False
        self.stopping = threading.Event()
        self.session = None

    def stop(self):
        """Finishes what runs, then `run` returns."""
        self.stopping.set()
        session = self.session
        if session is not None:
            try:
                session.leave()
            except Closed:
                pass

    def run(self):
        failures = 0
        while not self.stopping.is_set():
            began = time.monotonic()
            retry_after = 0
            try:
                if self.orphans < CAPACITY:
                    self.session = Session(self, WebSocket(self.url, self.token))
                    self.session.run()
            except (Closed, OSError) as error:
                if not self.stopping.is_set():
                    print(f"{self.identity}: {error}", file=sys.stderr)
                retry_after = self.session.retry_after / 1000 if self.session else 0
            failures = 0 if time.monotonic() - began >= 10 else failures + 1
            pause = random.uniform(0, min(30, 0.1 * 2 ** min(failures, 10)))
            self.stopping.wait(pause + min(retry_after, 300))


def handler(job, headers, context):
    """The jobs of this example."""
    if isinstance(job, bytes):
        return job[::-1]
    if job.startswith("sleep"):
        context["stop"].wait(30)
        return "woke up"
    if job == "later":
        if context["attempt"] == 1:
            raise Retry("not yet", 1)
        return f"at attempt {context['attempt']}"
    if job.startswith("fill"):
        return "x" * int(job.split(" ")[1])
    if job == "who":
        return f"Python, asked by {headers.get('user', 'nobody')}"
    return str(int(job) ** 2)


class TooFew(Exception):
    """Fewer numbers than a mean takes. Its fields reach the caller."""

    def __init__(self, need, since):
        super().__init__(f"a mean takes {need} numbers")
        self.need, self.since = need, since


def summary(given, _headers, _context):
    """A typed task: ordinary values in, ordinary values out."""
    numbers = list(given["numbers"])
    if not numbers:
        raise TooFew(1, given["since"])
    return {
        "mean": sum(numbers) / len(numbers),
        "distinct": set(numbers),
        "days": (datetime(2026, 1, 1, tzinfo=timezone.utc) - given["since"]) / timedelta(days=1),
        "until": given["since"] + timedelta(days=1),
        "packed": bytes(int(number) for number in numbers),
        "product": 2**70 * len(numbers),
    }


if __name__ == "__main__":
    worker = Worker(
        sys.argv[1],
        handler,
        {"summary": summary},
        sys.argv[2] if len(sys.argv) > 2 else f"python-{os.getpid()}",
        os.environ.get("POWERHOSE_TOKEN"),
    )
    # In a thread of its own: the lock of a connection may be held where the signal comes.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=worker.stop).start())
    try:
        worker.run()
    except Refused as error:
        sys.exit(f"refused: {error}")
