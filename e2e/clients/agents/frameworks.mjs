// Uses a gateway through LangChain and the Vercel AI SDK, each in every dialect with models
// of every dialect, and prints what it saw as JSON: facts[framework][dialect][provider].
// Environment: GATEWAY_URL, GATEWAY_KEY, SDKS (the folder of node_modules).
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// Its warnings would stand in the output.
globalThis.AI_SDK_LOG_WARNINGS = false;

const require = createRequire(process.env.SDKS + "/");
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { z } = await load("zod");
const { generateText, streamText, stepCountIs, tool } = await load("ai");
const { createOpenAI } = await load("@ai-sdk/openai");
const { createAnthropic } = await load("@ai-sdk/anthropic");
const { createGoogleGenerativeAI } = await load("@ai-sdk/google");
const { ChatOpenAI } = await load("@langchain/openai");
const { ChatAnthropic } = await load("@langchain/anthropic");
const { ChatGoogleGenerativeAI } = await load("@langchain/google-genai");
const { HumanMessage, ToolMessage } = await load("@langchain/core/messages");
const { tool: langTool } = await load("@langchain/core/tools");

const { GATEWAY_URL: url, GATEWAY_KEY: apiKey } = process.env;
const providers = ["openai", "openai_responses", "anthropic", "gemini"];
const question = "hello from the SDK";
const weather = "How is the weather?";
const inputSchema = z.object({ city: z.string(), days: z.number().int() });

const openai = createOpenAI({ baseURL: url + "/v1", apiKey });
const vercel = {
  openai: (model) => openai.chat(model),
  openai_responses: (model) => openai.responses(model),
  anthropic: createAnthropic({ baseURL: url + "/v1", apiKey }),
  gemini: createGoogleGenerativeAI({ baseURL: url + "/v1beta", apiKey }),
};

const configuration = { baseURL: url + "/v1" };
const langchain = {
  openai: (model) => new ChatOpenAI({ model, apiKey, maxRetries: 0, configuration }),
  openai_responses: (model) => new ChatOpenAI({ model, apiKey, maxRetries: 0, useResponsesApi: true, configuration }),
  anthropic: (model) => new ChatAnthropic({ model, apiKey, maxRetries: 0, anthropicApiUrl: url, maxTokens: 2000 }),
  gemini: (model) => new ChatGoogleGenerativeAI({ model, apiKey, maxRetries: 0, baseUrl: url }),
};

async function withVercel(model) {
  const options = { maxRetries: 0 };
  const whole = await generateText({ ...options, model: model("plain"), prompt: question });
  const streamed = streamText({ ...options, model: model("plain"), prompt: question });
  let text = "";
  for await (const part of streamed.textStream) text += part;
  let called = 0;
  const execute = async () => `result ${called++}`;
  const tools = { look_outside: tool({ description: "The weather", inputSchema, execute }) };
  const asked = { ...options, model: model("agent"), prompt: weather, tools, stopWhen: stepCountIs(3) };
  const agent = await generateText(asked);
  return { text: whole.text, stream: text, answer: agent.text, called };
}

const plain = (content) => {
  if (typeof content === "string") return content;
  const texts = content.filter((it) => it.type === "text").map((it) => it.text);
  return texts.join("");
};

async function withLangchain(model) {
  const whole = await model("plain").invoke(question);
  let text = "";
  for await (const chunk of await model("plain").stream(question)) text += plain(chunk.content);
  const described = { name: "look_outside", description: "The weather", schema: inputSchema };
  const agent = model("agent").bindTools([langTool(async () => "unused", described)]);
  const messages = [new HumanMessage(weather)];
  const first = await agent.invoke(messages);
  messages.push(first);
  first.tool_calls.forEach((it, at) =>
    messages.push(new ToolMessage({ content: `result ${at}`, tool_call_id: it.id, name: it.name })),
  );
  const second = await agent.invoke(messages);
  return { text: plain(whole.content), stream: text, answer: plain(second.content), called: first.tool_calls.length };
}

/** What a call gives, or how it fails: one failure does not hide the others. */
async function attempt(call) {
  try {
    return await call();
  } catch (it) {
    return { failed: `${it.constructor.name}: ${it.message} ${JSON.stringify(it.responseBody ?? it.error ?? "")}` };
  }
}

const facts = {};
for (const [framework, use, dialects] of [
  ["vercel", withVercel, vercel],
  ["langchain", withLangchain, langchain],
]) {
  facts[framework] = {};
  for (const [dialect, make] of Object.entries(dialects)) {
    facts[framework][dialect] = {};
    for (const provider of providers) {
      // Google's take a name with a slash for a whole resource, so these are aliases.
      const place = dialect === "gemini" ? `via-${provider}-` : `only-${provider}/gemini-3-`;
      const model = (name) => make(place + name);
      facts[framework][dialect][provider] = await attempt(() => use(model));
    }
  }
}
console.log(JSON.stringify(facts));
