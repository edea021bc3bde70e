// Uses a gateway through OpenAI's SDK and prints what it saw as JSON.
// Environment: GATEWAY_URL, GATEWAY_KEY, DISABLED_KEY, SDKS (the folder of node_modules).
import { createRequire } from "node:module";

const { default: OpenAI, APIError } = createRequire(process.env.SDKS + "/")("openai");

const options = { baseURL: process.env.GATEWAY_URL + "/v1", maxRetries: 0, timeout: 60_000 };
const client = new OpenAI({ ...options, apiKey: process.env.GATEWAY_KEY });
const model = "gpt-4o-mini";
const question = [{ role: "user", content: "hello from the SDK" }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tool = { type: "function", function: { name: "get_weather", description: "The weather of a city", parameters } };

async function chat() {
  const { data, response } = await client.chat.completions.create({ model, messages: question }).withResponse();
  return {
    text: data.choices[0].message.content,
    finish_reason: data.choices[0].finish_reason,
    usage: [data.usage.prompt_tokens, data.usage.completion_tokens],
    request_id: response.headers.get("x-request-id"),
    sdk_request_id: data._request_id,
    model: data.model,
  };
}

async function stream(more) {
  const seen = { text: "", usages: [], finish_reasons: [], chunks: 0 };
  for await (const chunk of await client.chat.completions.create({ model, messages: question, stream: true, ...more })) {
    seen.chunks += 1;
    if (chunk.usage) seen.usages.push([chunk.usage.prompt_tokens, chunk.usage.completion_tokens]);
    for (const choice of chunk.choices) {
      seen.text += choice.delta.content ?? "";
      if (choice.finish_reason) seen.finish_reasons.push(choice.finish_reason);
    }
  }
  return seen;
}

async function tools(streamed) {
  const messages = [{ role: "user", content: "What is the weather in Paris?" }];
  const asked = { model, messages, tools: [tool] };
  const first = streamed
    ? await client.chat.completions.stream(asked).finalChatCompletion()
    : await client.chat.completions.create(asked);
  const { message, finish_reason } = first.choices[0];
  const call = message.tool_calls[0];
  messages.push(message, { role: "tool", tool_call_id: call.id, content: "sunny, 21 degrees" });
  const second = await client.chat.completions.create(asked);
  return {
    finish_reason,
    name: call.function.name,
    arguments: JSON.parse(call.function.arguments),
    answer: second.choices[0].message.content,
  };
}

async function embeddings() {
  // The SDK asks for base64 by itself and unpacks it.
  const name = "text-embedding-3-small";
  const packed = await client.embeddings.create({ model: name, input: ["one", "two"] });
  const plain = await client.embeddings.create({ model: name, input: "one", encoding_format: "float", dimensions: 16 });
  return {
    lengths: packed.data.map((it) => it.embedding.length),
    plain: plain.data[0].embedding,
    tokens: packed.usage.prompt_tokens,
  };
}

async function error(call) {
  try {
    await call();
  } catch (it) {
    if (!(it instanceof APIError)) throw it;
    return { class: it.constructor.name, status: it.status, code: it.code, message: it.message, request_id: it.requestID };
  }
  return { class: "none" };
}

const ask = (name, { apiKey = process.env.GATEWAY_KEY, messages = question } = {}) =>
  new OpenAI({ ...options, apiKey }).chat.completions.create({ model: name, messages });

async function brokenStream() {
  try {
    for await (const _ of await client.chat.completions.create({ model: "demo-breaks", messages: question, stream: true }));
  } catch (it) {
    return it instanceof APIError ? it.constructor.name : `not an APIError: ${it}`;
  }
  return "none";
}

async function models() {
  const names = [];
  for await (const it of client.models.list()) names.push(it.id);
  return names;
}

console.log(
  JSON.stringify({
    chat: await chat(),
    stream: await stream({}),
    stream_with_usage: await stream({ stream_options: { include_usage: true } }),
    tools: await tools(false),
    tools_streamed: await tools(true),
    embeddings: await embeddings(),
    models: await models(),
    model: (await client.models.retrieve(model)).id,
    broken_stream: await brokenStream(),
    errors: {
      wrong_key: await error(() => ask(model, { apiKey: "slc_sk_" + "0".repeat(49) })),
      disabled_key: await error(() => ask(model, { apiKey: process.env.DISABLED_KEY })),
      unknown_model: await error(() => ask("no-such-model")),
      bad_request: await error(() => ask(model, { messages: [] })),
      rate_limit: await error(() => ask("demo-429")),
      internal: await error(() => ask("demo-500")),
    },
  }),
);
