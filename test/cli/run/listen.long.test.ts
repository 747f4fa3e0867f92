/** What `run --listen` lets in and shows: tokens, origins, status and the dashboard. The workers that join are in listen.test.ts. */
import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { ask, RawClient, status } from "../../transports/websocket/node/raw-client.ts";
import { Command, jobs, linesOf, listening, powerhose, seq } from "../child.ts";

const TOKEN = "correct horse battery staple";

/** The status and the body of a plain request. */
function get(url: string, headers: Record<string, string>, method = "GET"): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url.replace("ws:", "http:"), { headers, method, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    sent.once("error", reject).end();
  });
}

describe("who may", () => {
  test("without the token neither work nor see", async () => {
    const { run: started, url } = await listening(["-w", "0", jobs()], { env: { POWERHOSE_TOKEN: TOKEN } });
    await using run = started;
    expect(run.stderr).not.toContain(TOKEN);
    const refused = await powerhose(["work", "-w", "1", "--connect", url, jobs()]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/\npowerhose: [^\n]*refused the connection \(HTTP 401\)\n$/);
    const blind = await powerhose(["status", url, "--token", "wrong"]);
    expect(blind.code).toBe(1);
    expect(blind.stderr).toMatch(/^powerhose: \S+ wants a valid token: pass --token or set POWERHOSE_TOKEN\n$/);
    const seen = await powerhose(["status", url], { env: { POWERHOSE_TOKEN: TOKEN } });
    expect(seen).toMatchObject({ code: 0, stdout: expect.stringContaining("no workers") as string });
    await using work = new Command(["work", "-w", "1", "--connect", url, "--token", TOKEN, jobs()]);
    await work.says(/registered at/);
  });

  test("no page, no name made to point here, no other method and path", async () => {
    const { run: started, url } = await listening(["-w", "0", jobs()]);
    await using run = started;
    expect(run.child.exitCode).toBe(null);
    const at = `${url}status`;
    expect(await get(at, {})).toMatchObject({ status: 200, body: expect.stringMatching(/^\{.*\}\n$/) as string });
    expect((await get(at, { Origin: "http://127.0.0.1" })).status).toBe(403);
    expect((await get(at, { Host: "evil.example" })).status).toBe(403);
    expect((await get(at, { Host: "localhost:1" })).status).toBe(200);
    expect((await get(at, {}, "POST")).status).toBe(405);
    expect((await get(`${url}jobs`, {})).status).toBe(404);
  });
});

describe("status", () => {
  test("as a table and as JSON, with nothing of the jobs themselves", async () => {
    const { run: started, url } = await listening(["-w", "1", jobs("slow")]);
    await using run = started;
    const silent = Array.from({ length: 50 }, () => new RawClient(Number(new URL(url).port)));
    const identity = ["--identity", "far-away", "--labels", "gpu,big"];
    await using work = new Command(["work", "-w", "2", ...identity, "--connect", url, jobs("slow")]);
    await work.says(/registered at/);
    run.child.stdin.write("secret\nsecret\nsecret\n");
    await run.until(() => linesOf(run.stdout).length === 3);
    const { code, stdout } = await powerhose(["status", url]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^started for .*: 3 done, 0 failed, 0 running, 0 waiting, 0 retries, [\d.]+ jobs\/s\n\n/);
    expect(stdout).toMatch(/^WORKER +WHERE +STATE +JOBS +SERVED +SINCE +LABELS$/m);
    expect(stdout).toMatch(/^far-away +127\.0\.0\.1:\d+ +idle +0\/2 +2 +[\d.]+ m?s +gpu,big$/m);
    const json = await powerhose(["status", url.replace("ws:", "http:"), "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      state: "started",
      succeeded: 3,
      read: 3,
      workers: [
        { identity: "thread-1", transport: "thread", served: 1 },
        { identity: "far-away", transport: "websocket", labels: ["gpu", "big"], capacity: 2, served: 2 },
      ],
    });
    expect(stdout + json.stdout).not.toContain("secret");
    // Clients that say nothing are cut off, by the same limits as any listener's.
    await Promise.all(silent.map((client) => client.end()));
  });

  test("nobody there is one clear line", async () => {
    const { run, url } = await listening(["-w", "0", jobs()], { input: "" });
    await run.ended;
    const { code, stderr } = await powerhose(["status", url]);
    const { port } = new URL(url);
    expect([code, stderr]).toEqual([1, `powerhose: cannot ask http://127.0.0.1:${port}: nobody listens there\n`]);
  });
});

describe("the dashboard", () => {
  const html = { Accept: "text/html" };

  test("is up while the run is, and for a while after, or until a signal", async () => {
    const { run: started, url } = await listening(["--dashboard", "--linger", "600", "-w", "1", jobs()], {
      input: seq(3),
    });
    await using run = started;
    const [, address = ""] = await run.says(/or in a browser, at\n +(http:\S+)\n/);
    expect(address).toBe(url.replace("ws:", "http:"));
    await run.says(/the run is over; the dashboard stays for 10 min 0 s, or until Ctrl-C/);
    expect((await get(address, html)).body).toContain("<!doctype html>");
    expect((await get(address, {})).status).toBe(426);
    expect((await powerhose(["status", url])).code).toBe(0);
    run.child.kill("SIGINT");
    const { code, stdout, stderr } = await run.ended;
    expect([code, linesOf(stdout).length]).toEqual([0, 3]);
    expect(stderr.match(/3 jobs in /g)).toHaveLength(1);
  });

  test("is not there unless it was asked for", async () => {
    const { run: started, url } = await listening(["-w", "0", jobs()]);
    await using run = started;
    expect(run.stderr).not.toContain("browser");
    expect((await get(url, html)).status).toBe(426);
  });
});

test("pages of the origins that are named may send workers, and no others", async () => {
  const origins = ["--origin", "https://a.example", "--origin", "https://b.example:8443"];
  const { run: started, url } = await listening([...origins, "-w", "0", jobs()]);
  await using run = started;
  expect(run.child.exitCode).toBe(null);
  const { port } = new URL(url);
  const answers = await Promise.all(
    ["https://a.example", "https://b.example:8443", "https://c.example"].map((Origin) =>
      ask(Number(port), "/", { Origin }),
    ),
  );
  expect(answers.map(status)).toEqual([101, 101, 403]);
});

test("a port that is taken is one clear line", async () => {
  const { run: started, url } = await listening(["-w", "0", jobs()]);
  await using run = started;
  expect(run.child.exitCode).toBe(null);
  const { port } = new URL(url);
  const { code, stderr } = await powerhose(["run", "--listen", port, "-w", "0", jobs()]);
  expect([code, stderr]).toEqual([
    1,
    `powerhose: cannot listen on 127.0.0.1:${port}: the port is in use; 0 takes a free one\n`,
  ]);
});
