"""Uses a gateway through Anthropic's SDK and prints what it saw as JSON.

Environment: GATEWAY_URL, GATEWAY_KEY, DISABLED_KEY.
"""

import json
import os

import anthropic

url = os.environ["GATEWAY_URL"]
client = anthropic.Anthropic(base_url=url, api_key=os.environ["GATEWAY_KEY"], max_retries=0, timeout=60)
MODEL = "claude-haiku-4-5"
QUESTION = [{"role": "user", "content": "hello from the SDK"}]
TOOLS = [
    {
        "name": "get_weather",
        "description": "The weather of a city",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]


def message():
    raw = client.messages.with_raw_response.create(model=MODEL, max_tokens=500, messages=QUESTION)
    answer = raw.parse()
    return {
        "text": answer.content[0].text,
        "stop_reason": answer.stop_reason,
        "usage": [answer.usage.input_tokens, answer.usage.output_tokens],
        "request_id": raw.headers["x-request-id"],
        "model": answer.model,
    }


def stream():
    text = ""
    with client.messages.stream(model=MODEL, max_tokens=500, messages=QUESTION) as events:
        for part in events.text_stream:
            text += part
        final = events.get_final_message()
    return {
        "text": text,
        "stop_reason": final.stop_reason,
        "usage": [final.usage.input_tokens, final.usage.output_tokens],
    }


def tools(streamed):
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    options = {"model": MODEL, "max_tokens": 500, "messages": messages, "tools": TOOLS}
    if streamed:
        with client.messages.stream(**options) as events:
            first = events.get_final_message()
    else:
        first = client.messages.create(**options)
    call = next(it for it in first.content if it.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny, 21 degrees"}
    messages.append({"role": "assistant", "content": [it.to_dict() for it in first.content]})
    messages.append({"role": "user", "content": [result]})
    second = client.messages.create(**options)
    return {
        "finish_reason": first.stop_reason,
        "name": call.name,
        "arguments": call.input,
        "answer": second.content[0].text,
    }


def error(call):
    try:
        call()
    except anthropic.APIStatusError as it:
        return {"class": type(it).__name__, "status": it.status_code, "message": it.message, "request_id": it.request_id}
    return {"class": "none"}


def ask(model=MODEL, key=None, messages=QUESTION):
    who = client.with_options(api_key=key) if key else client
    return lambda: who.messages.create(model=model, max_tokens=500, messages=messages)


def broken_stream():
    try:
        with client.messages.stream(model="demo-breaks", max_tokens=500, messages=QUESTION) as events:
            events.until_done()
    except anthropic.APIError as it:
        return type(it).__name__
    return "none"


wrong_key = "slc_sk_" + "0" * 49
print(
    json.dumps(
        {
            "message": message(),
            "stream": stream(),
            "tools": tools(False),
            "tools_streamed": tools(True),
            "count_tokens": client.messages.count_tokens(model=MODEL, messages=QUESTION).input_tokens,
            "models": [it.id for it in client.models.list()],
            "model": client.models.retrieve(MODEL).id,
            "broken_stream": broken_stream(),
            "errors": {
                "wrong_key": error(ask(key=wrong_key)),
                "disabled_key": error(ask(key=os.environ["DISABLED_KEY"])),
                "unknown_model": error(ask("no-such-model")),
                "bad_request": error(ask(messages=[])),
                "rate_limit": error(ask("demo-429")),
                "internal": error(ask("demo-500")),
            },
        }
    )
)
