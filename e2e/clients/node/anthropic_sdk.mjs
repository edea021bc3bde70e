// Uses a gateway through Anthropic's SDK and prints what it saw as JSON.
// Environment: GATEWAY_URL, GATEWAY_KEY, DISABLED_KEY, SDKS (the folder of node_modules).
import { createRequire } from "node:module";

const { default: Anthropic, APIError } = createRequire(process.env.SDKS + "/")("@anthropic-ai/sdk");

const options = { baseURL: process.env.GATEWAY_URL, maxRetries: 0, timeout: 60_000 };
const client = new Anthropic({ ...options, apiKey: process.env.GATEWAY_KEY });
const model = "claude-haiku-4-5";
const max_tokens = 500;
const question = [{ role: "user", content: "hello from the SDK" }];
const input_schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tool = { name: "get_weather", description: "The weather of a city", input_schema };

async function message() {
  const { data, response } = await client.messages.create({ model, max_tokens, messages: question }).withResponse();
  return {
    text: data.content[0].text,
    stop_reason: data.stop_reason,
    usage: [data.usage.input_tokens, data.usage.output_tokens],
    request_id: response.headers.get("x-request-id"),
    model: data.model,
  };
}

async function stream() {
  let text = "";
  const events = client.messages.stream({ model, max_tokens, messages: question });
  events.on("text", (part) => (text += part));
  const final = await events.finalMessage();
  return { text, stop_reason: final.stop_reason, usage: [final.usage.input_tokens, final.usage.output_tokens] };
}

async function tools(streamed) {
  const messages = [{ role: "user", content: "What is the weather in Paris?" }];
  const asked = { model, max_tokens, messages, tools: [tool] };
  const first = streamed ? await client.messages.stream(asked).finalMessage() : await client.messages.create(asked);
  const call = first.content.find((it) => it.type === "tool_use");
  const result = { type: "tool_result", tool_use_id: call.id, content: "sunny, 21 degrees" };
  messages.push({ role: "assistant", content: first.content }, { role: "user", content: [result] });
  const second = await client.messages.create(asked);
  return { finish_reason: first.stop_reason, name: call.name, arguments: call.input, answer: second.content[0].text };
}

async function error(call) {
  try {
    await call();
  } catch (it) {
    if (!(it instanceof APIError)) throw it;
    return { class: it.constructor.name, status: it.status, message: it.message, request_id: it.requestID };
  }
  return { class: "none" };
}

const ask = (name, { apiKey = process.env.GATEWAY_KEY, messages = question } = {}) =>
  new Anthropic({ ...options, apiKey }).messages.create({ model: name, max_tokens, messages });

async function brokenStream() {
  try {
    await client.messages.stream({ model: "demo-breaks", max_tokens, messages: question }).finalMessage();
  } catch (it) {
    return it instanceof APIError ? it.constructor.name : `${it.constructor.name}: ${it.message}`;
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
    message: await message(),
    stream: await stream(),
    tools: await tools(false),
    tools_streamed: await tools(true),
    count_tokens: (await client.messages.countTokens({ model, messages: question })).input_tokens,
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
