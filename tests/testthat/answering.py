"""A language model for test-callback-in-synalinks-fit.R: a function of the prompt.

It writes a line for each call. At the call of a given number, it kills the process.
"""

import asyncio
import hashlib
import json
import os
import signal

import litellm

CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Spain": "Madrid",
    "Italy": "Rome",
    "Japan": "Tokyo",
    "Egypt": "Cairo",
    "Peru": "Lima",
    "Kenya": "Nairobi",
}


def install(log, kill_at):
    made = 0

    async def complete(**asked):
        nonlocal made
        made += 1
        number = made
        prompt = json.dumps(asked["messages"], sort_keys=True)
        seed = hashlib.sha256(prompt.encode()).hexdigest()
        with open(log, "a") as file:
            file.write(seed + "\n")
        await asyncio.sleep(0)
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        last = str(asked["messages"][-1])
        country = next(name for name in CAPITALS if name in last)
        is_right = int(seed[:8], 16) % 3 > 0
        answer = CAPITALS[country] if is_right else f"not {country}"
        text = json.dumps({"rationale": f"because {seed[:6]}", "answer": answer})
        usage = {"prompt_tokens": len(prompt), "completion_tokens": len(text)}
        usage["total_tokens"] = sum(usage.values())
        return {"choices": [{"message": {"content": text}}], "usage": usage}

    litellm.acompletion = complete
