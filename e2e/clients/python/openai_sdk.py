"""Uses a gateway through OpenAI's SDK and prints what it saw as JSON.

Environment: GATEWAY_URL, GATEWAY_KEY, DISABLED_KEY.
"""

import json
import os

import openai

url = os.environ["GATEWAY_URL"] + "/v1"
client = openai.OpenAI(base_url=url, api_key=os.environ["GATEWAY_KEY"], max_retries=0, timeout=60)
MODEL = "gpt-4o-mini"
QUESTION = [{"role": "user", "content": "hello from the SDK"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def chat():
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=QUESTION)
    answer = raw.parse()
    return {
        "text": answer.choices[0].message.content,
        "finish_reason": answer.choices[0].finish_reason,
        "usage": [answer.usage.prompt_tokens, answer.usage.completion_tokens],
        "request_id": raw.headers["x-request-id"],
        "sdk_request_id": answer._request_id,
        "model": answer.model,
    }


def stream(options):
    text, usages, finish, chunks = "", [], [], 0
    for chunk in client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True, **options):
        chunks += 1
        if chunk.usage:
            usages.append([chunk.usage.prompt_tokens, chunk.usage.completion_tokens])
        for choice in chunk.choices:
            text += choice.delta.content or ""
            if choice.finish_reason:
                finish.append(choice.finish_reason)
    return {"text": text, "usages": usages, "finish_reasons": finish, "chunks": chunks}


def tools(streamed):
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    if streamed:
        with client.chat.completions.stream(model=MODEL, messages=messages, tools=TOOLS) as events:
            for _ in events:
                pass
            first = events.get_final_completion()
    else:
        first = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    message = first.choices[0].message
    call = message.tool_calls[0]
    messages.append(message.to_dict())
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 degrees"})
    second = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)
    return {
        "finish_reason": first.choices[0].finish_reason,
        "name": call.function.name,
        "arguments": json.loads(call.function.arguments),
        "answer": second.choices[0].message.content,
    }


def embeddings():
    # The SDK asks for base64 by itself and unpacks it.
    packed = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    plain = client.embeddings.create(model="text-embedding-3-small", input="one", encoding_format="float", dimensions=16)
    return {
        "lengths": [len(it.embedding) for it in packed.data],
        "plain": plain.data[0].embedding,
        "tokens": packed.usage.prompt_tokens,
    }


def error(call):
    try:
        call()
    except openai.APIStatusError as it:
        return {"class": type(it).__name__, "status": it.status_code, "code": it.code, "message": it.message, "request_id": it.request_id}
    return {"class": "none"}


def ask(model=MODEL, key=None, **more):
    who = client.with_options(api_key=key) if key else client
    return lambda: who.chat.completions.create(model=model, messages=more.pop("messages", QUESTION), **more)


def broken_stream():
    try:
        for _ in client.chat.completions.create(model="demo-breaks", messages=QUESTION, stream=True):
            pass
    except openai.APIError as it:
        return type(it).__name__
    return "none"


wrong_key = "slc_sk_" + "0" * 49
print(
    json.dumps(
        {
            "chat": chat(),
            "stream": stream({}),
            "stream_with_usage": stream({"stream_options": {"include_usage": True}}),
            "tools": tools(False),
            "tools_streamed": tools(True),
            "embeddings": embeddings(),
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
