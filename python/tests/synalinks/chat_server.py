"""A server on this machine that speaks the chat protocol of OpenAI, for real clients."""

from __future__ import annotations

import asyncio
import json
import threading

import local_model


class ChatServer:
    """Answers as :mod:`local_model` does, in a thread of its own.

    Args:
        refuse_at: Numbers of requests, from 1, that get the status 500: the client tries again.
        stop_at: The number of a request in whose middle `stop` is called.
        stop: The function. The request gets an answer if it returns True.

    Attributes:
        url: For `api_base`.
        requests: The digest of each request's messages, in the order in which they came.
        answered: How many of them were answered.
        most_at_once: How many were open at the same time, at most.
    """

    def __init__(self, refuse_at=(), stop_at=None, stop=None):
        self._refuse_at = set(refuse_at)
        self._stop_at = stop_at
        self._stop = stop
        self.requests = []
        self.answered = 0
        self.most_at_once = 0
        self._open = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        future = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        self._server = future.result()
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"
        return self

    def __exit__(self, *error):
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self):
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _listen(self):
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _serve(self, reader, writer):
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The client was killed, or the server ends.
        finally:
            writer.close()

    async def _one(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().splitlines()
        length = next(int(one.split(":")[1]) for one in head if one.startswith("content-length"))
        asked = json.loads(await reader.readexactly(length))
        self.requests.append(local_model.digest(asked["messages"]))
        number = len(self.requests)
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        # The others of the same batch come meanwhile.
        await asyncio.sleep(0.02)
        self._open -= 1
        if number == self._stop_at and not self._stop():
            return False
        status, answer = 200, _answer(asked)
        if number in self._refuse_at:
            status, answer = 500, {"error": {"message": "try again", "type": "server_error"}}
        else:
            self.answered += 1
        body = json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        return True


def _answer(asked):
    messages = asked["messages"]
    schema = asked["response_format"]["json_schema"]["schema"]
    text = local_model.content(messages, schema)
    usage = {"prompt_tokens": len(str(messages)), "completion_tokens": len(text)}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "local",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
            }
        ],
        "usage": usage | {"total_tokens": sum(usage.values())},
    }
