"""Uses a gateway through four SDKs, each with models of every dialect, and prints what it
saw as JSON: facts[client][provider][what].

Environment: GATEWAY_URL, GATEWAY_KEY.
"""

import base64
import json
import os
import traceback

import anthropic
import openai
import pydantic
from google import genai
from google.genai import errors as google_errors
from google.genai import types

URL, KEY = os.environ["GATEWAY_URL"], os.environ["GATEWAY_KEY"]
PROVIDERS = ["openai", "openai_responses", "anthropic", "gemini"]
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
QUESTION = "hello from the SDK"
WEATHER = "How is the weather?"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
NAMES = ["look_outside", "ask_neighbour"]


class Shape(pydantic.BaseModel):
    city: str
    days: int


def result(index):
    return f"result {index}"


class Chat:
    """OpenAI's SDK, chat completions."""

    client = openai.OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0, timeout=60)
    error = openai.APIStatusError
    broken = openai.APIError
    both = [{"type": "function", "function": {"name": it, "parameters": SCHEMA}} for it in NAMES]

    def text(self, model):
        answer = self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": QUESTION}])
        return answer.choices[0].message.content

    def stream(self, model):
        text = ""
        messages = [{"role": "user", "content": QUESTION}]
        with self.client.chat.completions.stream(model=model, messages=messages) as events:
            for event in events:
                if event.type == "content.delta":
                    text += event.delta
            final = events.get_final_completion().choices[0]
        return [text, final.message.content, final.finish_reason]

    def rounds(self, model, count, streamed):
        """The model calls so many tools and is told what they answered. With one it thinks."""
        messages = [{"role": "user", "content": WEATHER}]
        options = {"model": model, "messages": messages, "tools": self.both[:count]}
        if streamed:
            with self.client.chat.completions.stream(**options) as events:
                for _ in events:
                    pass
                first = events.get_final_completion()
        else:
            first = self.client.chat.completions.create(**options)
        message = first.choices[0].message
        turn = message.to_dict()
        # What the SDK adds for its own comfort does not go back.
        turn.pop("parsed", None)
        for call in turn["tool_calls"]:
            call["function"].pop("parsed_arguments", None)
            call.pop("index", None)
        messages.append(turn)
        for index, call in enumerate(message.tool_calls):
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result(index)})
        second = self.client.chat.completions.create(**options)
        calls = [[it.function.name, json.loads(it.function.arguments)] for it in message.tool_calls]
        return {"calls": calls, "end": first.choices[0].finish_reason, "answer": second.choices[0].message.content}

    def image(self, model):
        url = {"url": "data:image/png;base64," + PICTURE}
        content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": url}]
        answer = self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}])
        return answer.choices[0].message.content

    def shape(self, model):
        messages = [{"role": "user", "content": QUESTION}]
        answer = self.client.chat.completions.parse(model=model, messages=messages, response_format=Shape)
        return answer.choices[0].message.parsed.model_dump()

    def status(self, error):
        return error.status_code


class Responses:
    """OpenAI's SDK, responses."""

    client = Chat.client
    error = openai.APIStatusError
    # The SDK's helper raises this for a response that failed.
    broken = (openai.APIError, RuntimeError)
    both = [{"type": "function", "name": it, "parameters": SCHEMA, "strict": True} for it in NAMES]

    def text(self, model):
        return self.client.responses.create(model=model, input=QUESTION, store=False).output_text

    def stream(self, model):
        text = ""
        with self.client.responses.stream(model=model, input=QUESTION, store=False) as events:
            for event in events:
                if event.type == "response.output_text.delta":
                    text += event.delta
            final = events.get_final_response()
        return [text, final.output_text, final.status]

    def rounds(self, model, count, streamed):
        options = {"model": model, "store": False, "tools": self.both[:count]}
        options["reasoning"] = {"effort": "low", "summary": "auto"}
        options["include"] = ["reasoning.encrypted_content"]
        asked = [{"role": "user", "content": WEATHER}]
        if streamed:
            with self.client.responses.stream(input=asked, **options) as events:
                for _ in events:
                    pass
                first = events.get_final_response()
        else:
            first = self.client.responses.create(input=asked, **options)
        # What the SDK adds for its own comfort does not go back.
        asked += [{k: v for k, v in it.to_dict().items() if k != "parsed_arguments"} for it in first.output]
        calls = [it for it in first.output if it.type == "function_call"]
        for index, call in enumerate(calls):
            asked.append({"type": "function_call_output", "call_id": call.call_id, "output": result(index)})
        second = self.client.responses.create(input=asked, **options)
        told = [[it.name, json.loads(it.arguments)] for it in calls]
        return {"calls": told, "end": first.status, "answer": second.output_text}

    def image(self, model):
        picture = {"type": "input_image", "image_url": "data:image/png;base64," + PICTURE, "detail": "auto"}
        content = [{"type": "input_text", "text": "look"}, picture]
        asked = [{"role": "user", "content": content}]
        return self.client.responses.create(model=model, input=asked, store=False).output_text

    def shape(self, model):
        answer = self.client.responses.parse(model=model, input=QUESTION, text_format=Shape, store=False)
        return answer.output_parsed.model_dump()

    def status(self, error):
        return error.status_code


class Messages:
    """Anthropic's SDK."""

    client = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=60)
    error = anthropic.APIStatusError
    broken = anthropic.APIError
    both = [{"name": it, "input_schema": SCHEMA} for it in NAMES]

    def options(self, model, content=QUESTION):
        return {"model": model, "max_tokens": 4000, "messages": [{"role": "user", "content": content}]}

    def text(self, model):
        return self.client.messages.create(**self.options(model)).content[0].text

    def stream(self, model):
        with self.client.messages.stream(**self.options(model)) as events:
            text = "".join(events.text_stream)
            final = events.get_final_message()
        return [text, final.content[0].text, final.stop_reason]

    def rounds(self, model, count, streamed):
        options = self.options(model, WEATHER) | {"tools": self.both[:count]}
        if count == 1:
            options["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        if streamed:
            with self.client.messages.stream(**options) as events:
                first = events.get_final_message()
        else:
            first = self.client.messages.create(**options)
        calls = [it for it in first.content if it.type == "tool_use"]
        told = [{"type": "tool_result", "tool_use_id": it.id, "content": result(at)} for at, it in enumerate(calls)]
        options["messages"] += [
            {"role": "assistant", "content": [it.to_dict() for it in first.content]},
            {"role": "user", "content": told},
        ]
        second = self.client.messages.create(**options)
        answer = "".join(it.text for it in second.content if it.type == "text")
        return {"calls": [[it.name, it.input] for it in calls], "end": first.stop_reason, "answer": answer}

    def image(self, model):
        source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
        content = [{"type": "text", "text": "look"}, {"type": "image", "source": source}]
        return self.client.messages.create(**self.options(model, content)).content[0].text

    def shape(self, model):
        return self.client.messages.parse(output_format=Shape, **self.options(model)).parsed_output.model_dump()

    def status(self, error):
        return error.status_code


class Gemini:
    """Google's SDK."""

    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=URL, timeout=60_000))
    error = google_errors.APIError
    broken = Exception
    both = [types.FunctionDeclaration(name=it, parameters_json_schema=SCHEMA) for it in NAMES]

    def text(self, model):
        return self.client.models.generate_content(model=model, contents=QUESTION).text

    def stream(self, model):
        text, ends = "", []
        for chunk in self.client.models.generate_content_stream(model=model, contents=QUESTION):
            text += chunk.text or ""
            ends += [it.finish_reason.value for it in chunk.candidates or [] if it.finish_reason]
        return [text, text, "".join(ends)]

    def rounds(self, model, count, streamed):
        config = types.GenerateContentConfig(
            tools=[types.Tool(function_declarations=self.both[:count])],
            thinking_config=types.ThinkingConfig(include_thoughts=True),
        )
        asked = [types.Content(role="user", parts=[types.Part(text=WEATHER)])]
        parts, end = [], None
        if streamed:
            for chunk in self.client.models.generate_content_stream(model=model, contents=asked, config=config):
                content = chunk.candidates[0].content
                parts += (content and content.parts) or []
                end = chunk.candidates[0].finish_reason or end
        else:
            first = self.client.models.generate_content(model=model, contents=asked, config=config)
            parts, end = first.candidates[0].content.parts, first.candidates[0].finish_reason
        asked.append(types.Content(role="model", parts=parts))
        calls = [it.function_call for it in parts if it.function_call]
        told = [
            types.Part(function_response=types.FunctionResponse(id=it.id, name=it.name, response={"output": result(at)}))
            for at, it in enumerate(calls)
        ]
        asked.append(types.Content(role="user", parts=told))
        second = self.client.models.generate_content(model=model, contents=asked, config=config)
        return {"calls": [[it.name, it.args] for it in calls], "end": end.value, "answer": second.text}

    def image(self, model):
        picture = types.Part.from_bytes(data=base64.b64decode(PICTURE), mime_type="image/png")
        return self.client.models.generate_content(model=model, contents=["look", picture]).text

    def shape(self, model):
        config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=SCHEMA)
        return json.loads(self.client.models.generate_content(model=model, contents=QUESTION, config=config).text)

    def status(self, error):
        return error.code


def error(sdk, model):
    try:
        sdk.text(model)
    except sdk.error as it:
        return [type(it).__name__, sdk.status(it)]
    return "none"


def broken(sdk, model):
    """Whether a stream that breaks off is an exception."""
    try:
        sdk.stream(model)
    except sdk.broken as it:
        return type(it).__name__
    return "none"


def attempt(call, *arguments):
    """What a call gives, or how it fails: one failure does not hide the others."""
    try:
        return call(*arguments)
    except Exception as it:
        return {"failed": f"{type(it).__name__}: {it}", "where": traceback.format_exc(limit=-2)}


def facts(sdk, provider):
    def model(name):
        return f"only-{provider}/gemini-3-{name}"

    return {
        "text": attempt(sdk.text, model("plain")),
        "stream": attempt(sdk.stream, model("plain")),
        "rounds": attempt(sdk.rounds, model("parallel"), 2, False),
        "rounds_streamed": attempt(sdk.rounds, model("parallel"), 2, True),
        "thinking": attempt(sdk.rounds, model("thinks"), 1, False),
        "thinking_streamed": attempt(sdk.rounds, model("thinks"), 1, True),
        "image": attempt(sdk.image, model("plain")),
        "shape": attempt(sdk.shape, model("plain")),
        "errors": {name: attempt(error, sdk, model(name)) for name in ["400", "404", "429", "503"]},
        "broken": {name: attempt(broken, sdk, model(name)) for name in ["late", "reset"]},
    }


SDKS = {"openai": Chat(), "openai_responses": Responses(), "anthropic": Messages(), "gemini": Gemini()}
print(json.dumps({name: {it: facts(sdk, it) for it in PROVIDERS} for name, sdk in SDKS.items()}))
