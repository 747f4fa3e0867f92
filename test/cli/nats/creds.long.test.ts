/** `--creds`: a server that knows its users by JWTs alone, and a command that shows a file of credentials. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nkeys } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { NatsServer } from "../../support/nats-program.ts";
import { describeWithNatsProgram } from "../../support/nats-server.ts";
import { Command, jobs, powerhose, seq } from "../child.ts";

type KeyPair = ReturnType<typeof nkeys.createUser>;

function base64url(bytes: Uint8Array | string): string {
  return Buffer.from(bytes).toString("base64url");
}

/** A claim about one key, signed by another. */
function jwt(signer: KeyPair, subject: KeyPair, type: "operator" | "account" | "user", claims: object = {}): string {
  const head = base64url(JSON.stringify({ typ: "JWT", alg: "ed25519-nkey" }));
  const body = {
    jti: `${type}-${subject.getPublicKey()}`,
    iat: Math.floor(Date.now() / 1_000),
    iss: signer.getPublicKey(),
    sub: subject.getPublicKey(),
    name: type,
    nats: { type, version: 2, ...claims },
  };
  const text = `${head}.${base64url(JSON.stringify(body))}`;
  return `${text}.${base64url(signer.sign(Buffer.from(text)))}`;
}

function credsFile(token: string, seed: string): string {
  return (
    `-----BEGIN NATS USER JWT-----\n${token}\n------END NATS USER JWT------\n\n` +
    `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`
  );
}

const UNLIMITED = { subs: -1, data: -1, payload: -1 };

describeWithNatsProgram("credentials in a file", (program) => {
  test("let a run and a worker in; others are refused", async () => {
    const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
    const limits = { ...UNLIMITED, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
    const accountJwt = jwt(operator, account, "account", { limits });
    await using server = await NatsServer.start(
      program,
      `operator: "${jwt(operator, operator, "operator")}"\nresolver: MEMORY\n` +
        `resolver_preload: { ${account.getPublicKey()}: "${accountJwt}" }`,
    );
    const folder = mkdtempSync(join(tmpdir(), "powerhose-creds-"));
    const creds = join(folder, "user.creds");
    const seed = new TextDecoder().decode(user.getSeed());
    writeFileSync(creds, credsFile(jwt(account, user, "user", UNLIMITED), seed));
    const url = `nats://${server.address}/jobs`;

    const refused = await powerhose(["run", "-w", "0", "--listen", url, jobs()]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining(`could not connect to ${url}`)]);
    await using run = new Command(["run", "-w", "0", "--listen", url, "--creds", creds, jobs()]);
    await run.says(/POWERHOSE_CREDS=… POWERHOSE_PRINCIPAL=… powerhose work /);
    await using work = new Command(["work", "-w", "1", "--connect", url, "--once", jobs()], {
      env: { POWERHOSE_CREDS: creds, POWERHOSE_PRINCIPAL: "alice" },
    });
    await run.says(/joined from alice\//);
    run.child.stdin.end(seq(5));
    expect(await run.ended).toMatchObject({ code: 0 });
    expect(await work.ended).toMatchObject({ code: 0 });
    rmSync(folder, { recursive: true });
  });
});
