/**
 * A tab that can be put into the background for real. The pages of the test tool always count as visible, so this one is
 * none of them: it is opened, hidden and closed by the browser, and what happens in it is seen from outside.
 */
import type { Browser, CDPSession } from "playwright-core";

/** A tab in a window of its own. */
export class BackgroundTab {
  readonly #session: CDPSession;
  readonly #targets: string[];

  private constructor(session: CDPSession, target: string) {
    this.#session = session;
    this.#targets = [target];
  }

  static async open(browser: Browser, url: string): Promise<BackgroundTab> {
    const session = await browser.newBrowserCDPSession();
    const { targetId } = await session.send("Target.createTarget", { url });
    return new BackgroundTab(session, targetId);
  }

  /** Puts another tab in front of it. */
  async hide(): Promise<void> {
    const { targetId } = await this.#session.send("Target.createTarget", { url: "about:blank" });
    this.#targets.push(targetId);
    await this.#session.send("Target.activateTarget", { targetId });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const targetId of this.#targets) await this.#session.send("Target.closeTarget", { targetId });
    await this.#session.detach();
  }
}
