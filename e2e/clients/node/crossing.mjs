// Uses a gateway through four SDKs, each with models of every dialect, and prints what it
// saw as JSON: facts[client][provider][what].
// Environment: GATEWAY_URL, GATEWAY_KEY, SDKS (the folder of node_modules).
import { createRequire } from "node:module";

const require = createRequire(process.env.SDKS + "/");
const { default: OpenAI } = require("openai");
const { default: Anthropic } = require("@anthropic-ai/sdk");
const { GoogleGenAI } = require("@google/genai");

const { GATEWAY_URL: url, GATEWAY_KEY: apiKey } = process.env;
const providers = ["openai", "openai_responses", "anthropic", "gemini"];
const picture =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const question = "hello from the SDK";
const weather = "How is the weather?";
const schema = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false,
};
const names = ["look_outside", "ask_neighbour"];
const result = (index) => `result ${index}`;
const user = (content) => ({ role: "user", content });

const openai = new OpenAI({ baseURL: url + "/v1", apiKey, maxRetries: 0, timeout: 60_000 });

const chat = {
  both: names.map((name) => ({ type: "function", function: { name, parameters: schema } })),
  async text(model) {
    const answer = await openai.chat.completions.create({ model, messages: [user(question)] });
    return answer.choices[0].message.content;
  },
  async stream(model) {
    let text = "";
    const events = openai.chat.completions.stream({ model, messages: [user(question)] });
    events.on("content", (delta) => (text += delta));
    const { message, finish_reason } = (await events.finalChatCompletion()).choices[0];
    return [text, message.content, finish_reason];
  },
  async rounds(model, count, streamed) {
    const messages = [user(weather)];
    const asked = { model, messages, tools: this.both.slice(0, count) };
    const first = streamed
      ? await openai.chat.completions.stream(asked).finalChatCompletion()
      : await openai.chat.completions.create(asked);
    const { message, finish_reason: end } = first.choices[0];
    // What the SDK adds for its own comfort does not go back.
    const { parsed, ...turn } = message;
    turn.tool_calls = message.tool_calls.map(({ index, function: { parsed_arguments, ...called }, ...call }) => ({
      ...call,
      function: called,
    }));
    messages.push(turn);
    message.tool_calls.forEach((it, at) => messages.push({ role: "tool", tool_call_id: it.id, content: result(at) }));
    const second = await openai.chat.completions.create(asked);
    const calls = message.tool_calls.map((it) => [it.function.name, JSON.parse(it.function.arguments)]);
    return { calls, end, answer: second.choices[0].message.content };
  },
  async image(model) {
    const image_url = { url: "data:image/png;base64," + picture };
    const content = [
      { type: "text", text: "look" },
      { type: "image_url", image_url },
    ];
    const answer = await openai.chat.completions.create({ model, messages: [user(content)] });
    return answer.choices[0].message.content;
  },
  async shape(model) {
    const response_format = { type: "json_schema", json_schema: { name: "shape", schema, strict: true } };
    const answer = await openai.chat.completions.parse({ model, messages: [user(question)], response_format });
    return answer.choices[0].message.parsed;
  },
};

class Failed extends Error {}

const responses = {
  both: names.map((name) => ({ type: "function", name, parameters: schema, strict: true })),
  async text(model) {
    return (await openai.responses.create({ model, input: question, store: false })).output_text;
  },
  async stream(model) {
    let text = "";
    const events = openai.responses.stream({ model, input: question, store: false });
    events.on("response.output_text.delta", (event) => (text += event.delta));
    const final = await events.finalResponse();
    // The SDK's helper gives a response that failed as it gives any other.
    if (final.status === "failed") throw new Failed(final.error.message);
    return [text, final.output_text, final.status];
  },
  async rounds(model, count, streamed) {
    const input = [user(weather)];
    const asked = { model, input, tools: this.both.slice(0, count), store: false };
    asked.reasoning = { effort: "low", summary: "auto" };
    asked.include = ["reasoning.encrypted_content"];
    const first = streamed
      ? await openai.responses.stream(asked).finalResponse()
      : await openai.responses.create(asked);
    input.push(...first.output.map(({ parsed_arguments, ...item }) => item));
    const calls = first.output.filter((it) => it.type === "function_call");
    calls.forEach((it, at) => input.push({ type: "function_call_output", call_id: it.call_id, output: result(at) }));
    const second = await openai.responses.create(asked);
    const told = calls.map((it) => [it.name, JSON.parse(it.arguments)]);
    return { calls: told, end: first.status, answer: second.output_text };
  },
  async image(model) {
    const image = { type: "input_image", image_url: "data:image/png;base64," + picture, detail: "auto" };
    const input = [user([{ type: "input_text", text: "look" }, image])];
    return (await openai.responses.create({ model, input, store: false })).output_text;
  },
  async shape(model) {
    const format = { type: "json_schema", name: "shape", schema, strict: true };
    const answer = await openai.responses.parse({ model, input: question, text: { format }, store: false });
    return answer.output_parsed;
  },
};

const anthropic = new Anthropic({ baseURL: url, apiKey, maxRetries: 0, timeout: 60_000 });

const messages = {
  both: names.map((name) => ({ name, input_schema: schema })),
  options: (model, content = question) => ({ model, max_tokens: 4000, messages: [user(content)] }),
  async text(model) {
    return (await anthropic.messages.create(this.options(model))).content[0].text;
  },
  async stream(model) {
    let text = "";
    const events = anthropic.messages.stream(this.options(model));
    events.on("text", (part) => (text += part));
    const final = await events.finalMessage();
    return [text, final.content[0].text, final.stop_reason];
  },
  async rounds(model, count, streamed) {
    const asked = { ...this.options(model, weather), tools: this.both.slice(0, count) };
    // The model thinks where it is to call one.
    if (count === 1) asked.thinking = { type: "enabled", budget_tokens: 1024 };
    const first = streamed ? await anthropic.messages.stream(asked).finalMessage() : await anthropic.messages.create(asked);
    const calls = first.content.filter((it) => it.type === "tool_use");
    const told = calls.map((it, at) => ({ type: "tool_result", tool_use_id: it.id, content: result(at) }));
    asked.messages.push({ role: "assistant", content: first.content }, user(told));
    const second = await anthropic.messages.create(asked);
    const texts = second.content.filter((it) => it.type === "text").map((it) => it.text);
    return { calls: calls.map((it) => [it.name, it.input]), end: first.stop_reason, answer: texts.join("") };
  },
  async image(model) {
    const source = { type: "base64", media_type: "image/png", data: picture };
    const content = [
      { type: "text", text: "look" },
      { type: "image", source },
    ];
    return (await anthropic.messages.create(this.options(model, content))).content[0].text;
  },
  async shape(model) {
    const output_config = { format: { type: "json_schema", schema } };
    const answer = await anthropic.messages.create({ ...this.options(model), output_config });
    return JSON.parse(answer.content[0].text);
  },
};

const google = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url, timeout: 60_000 } });

const gemini = {
  both: names.map((name) => ({ name, parametersJsonSchema: schema })),
  async text(model) {
    return (await google.models.generateContent({ model, contents: question })).text;
  },
  async stream(model) {
    let text = "";
    const ends = [];
    for await (const chunk of await google.models.generateContentStream({ model, contents: question })) {
      text += chunk.text ?? "";
      ends.push(...(chunk.candidates ?? []).map((it) => it.finishReason).filter(Boolean));
    }
    return [text, text, ends.join("")];
  },
  async rounds(model, count, streamed) {
    const functionDeclarations = this.both.slice(0, count);
    const config = { tools: [{ functionDeclarations }], thinkingConfig: { includeThoughts: true } };
    const contents = [{ role: "user", parts: [{ text: weather }] }];
    const parts = [];
    let end;
    const take = (answer) => {
      parts.push(...(answer.candidates[0].content?.parts ?? []));
      end = answer.candidates[0].finishReason ?? end;
    };
    if (streamed) {
      for await (const chunk of await google.models.generateContentStream({ model, contents, config })) take(chunk);
    } else take(await google.models.generateContent({ model, contents, config }));
    const calls = parts.filter((it) => it.functionCall).map((it) => it.functionCall);
    const told = calls.map(({ id, name }, at) => ({ functionResponse: { id, name, response: { output: result(at) } } }));
    contents.push({ role: "model", parts }, { role: "user", parts: told });
    const second = await google.models.generateContent({ model, contents, config });
    return { calls: calls.map((it) => [it.name, it.args]), end, answer: second.text };
  },
  async image(model) {
    const parts = [{ text: "look" }, { inlineData: { mimeType: "image/png", data: picture } }];
    return (await google.models.generateContent({ model, contents: [{ role: "user", parts }] })).text;
  },
  async shape(model) {
    const config = { responseMimeType: "application/json", responseJsonSchema: schema };
    return JSON.parse((await google.models.generateContent({ model, contents: question, config })).text);
  },
};

async function error(sdk, model) {
  try {
    await sdk.text(model);
  } catch (it) {
    if (typeof it.status !== "number") throw it;
    return [it.constructor.name, it.status];
  }
  return "none";
}

/** Whether a stream that breaks off is an exception. */
async function broken(sdk, model) {
  try {
    await sdk.stream(model);
  } catch (it) {
    return it.constructor.name;
  }
  return "none";
}

/** What a call gives, or how it fails: one failure does not hide the others. */
async function attempt(call) {
  try {
    return await call();
  } catch (it) {
    return { failed: `${it.constructor.name}: ${it.message}`, where: `${it.stack}`.split("\n").slice(0, 4).join("\n") };
  }
}

async function facts(sdk, provider) {
  const model = (name) => `only-${provider}/gemini-3-${name}`;
  const seen = {
    text: await attempt(() => sdk.text(model("plain"))),
    stream: await attempt(() => sdk.stream(model("plain"))),
    rounds: await attempt(() => sdk.rounds(model("parallel"), 2, false)),
    rounds_streamed: await attempt(() => sdk.rounds(model("parallel"), 2, true)),
    thinking: await attempt(() => sdk.rounds(model("thinks"), 1, false)),
    thinking_streamed: await attempt(() => sdk.rounds(model("thinks"), 1, true)),
    image: await attempt(() => sdk.image(model("plain"))),
    shape: await attempt(() => sdk.shape(model("plain"))),
    errors: {},
    broken: {},
  };
  for (const name of ["400", "404", "429", "503"]) seen.errors[name] = await attempt(() => error(sdk, model(name)));
  for (const name of ["late", "reset"]) seen.broken[name] = await attempt(() => broken(sdk, model(name)));
  return seen;
}

const all = {};
for (const [name, sdk] of Object.entries({ openai: chat, openai_responses: responses, anthropic: messages, gemini })) {
  all[name] = {};
  for (const provider of providers) all[name][provider] = await facts(sdk, provider);
}
console.log(JSON.stringify(all));
