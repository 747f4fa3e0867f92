import { expect, test } from "vitest";
import { type ServeFromTabOptions, serveFromTab, TAB_DEFAULTS } from "../../src/browser/index.ts";
import { tabSettings } from "../../src/browser/options.ts";
import { AuthError } from "../../src/index.ts";

// Node has no WebSocket of its own; options are checked before there is a connection.
function NoWebSocket(): never {
  throw new Error("nobody dials here");
}

function settings(options: Partial<ServeFromTabOptions> = {}, url = "ws://localhost/"): ReturnType<typeof tabSettings> {
  const before = Reflect.get(globalThis, "WebSocket") as unknown;
  Reflect.set(globalThis, "WebSocket", NoWebSocket);
  try {
    return tabSettings(url, { module: "https://a.example/jobs.js", ...options });
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, "WebSocket");
    else Reflect.set(globalThis, "WebSocket", before);
  }
}

test("what is left out is filled in", () => {
  const { settings: filled, ...page } = settings();
  expect(page).toEqual({ start: undefined, token: undefined, ticket: undefined, socketScript: undefined });
  expect(filled).toMatchObject({ ...TAB_DEFAULTS, labels: ["browser", "unknown"], handlerScript: undefined });
  expect(filled.identity).toMatch(/^tab-[0-9a-f]{12}$/);
  expect(filled.size).toBeGreaterThan(0);
  expect(settings({ identity: undefined, size: undefined }).settings.size).toBe(filled.size);
});

test("what is given is taken, and labels come after what every tab has", () => {
  const scripts = { socket: new URL("https://a.example/s.js"), handler: "https://a.example/h.js" };
  const given = settings({ size: 3, identity: "me", labels: ["gpu", "browser"], scripts, token: "secret" });
  expect(given).toMatchObject({ token: "secret", socketScript: "https://a.example/s.js" });
  expect(given.settings).toMatchObject({
    size: 3,
    identity: "me",
    labels: ["browser", "unknown", "gpu"],
    handlerScript: "https://a.example/h.js",
  });
});

test("nothing secret crosses to the Web Worker with the settings", () => {
  const { settings: crossing } = settings({ token: "s3cret", ticket: () => "s3cret" });
  expect(JSON.stringify(crossing)).not.toContain("s3cret");
  expect(structuredClone(crossing)).toEqual(crossing);
});

test.each([
  [{ size: 0 }, RangeError, "`size`"],
  [{ size: 65 }, RangeError, "`size`"],
  [{ labels: Array.from({ length: 31 }, (_, i) => `l${i}`) }, TypeError, "`labels`"],
  [{ labels: ["<b>"] }, TypeError, "`labels`"],
  [{ identity: "no spaces" }, TypeError, "`identity`"],
  [{ module: "" }, TypeError, "`module`"],
  [{ module: "./relative.js" }, TypeError, "`module` is not a URL"],
  [{ module: undefined }, TypeError, "`module` is missing"],
  [{ token: "" }, TypeError, "`token`"],
  [{ scripts: { socket: "https://a.example/s.js" } }, TypeError, "`scripts`"],
  [{ threads: 4 }, TypeError, "unknown option `threads`"],
])("%j is refused", (options, kind, words) => {
  const wrong = (): unknown => settings(options as Partial<ServeFromTabOptions>);
  expect(wrong).toThrow(kind);
  expect(wrong).toThrow(words);
});

test("addresses are those of dialWebSocket", () => {
  expect(() => settings({}, "https://a.example/")).toThrow(TypeError);
  expect(() => settings({}, "ws://a.example/")).toThrow(AuthError);
  expect(settings({ allowInsecure: true }, "ws://a.example/").settings.url).toBe("ws://a.example/");
});

test("what is wrong rejects serveFromTab, which never throws", async () => {
  await expect(serveFromTab("ws://localhost/", { module: "" })).rejects.toThrow(TypeError);
});
