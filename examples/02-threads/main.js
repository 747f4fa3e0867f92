// Work that would block this process goes to threads. They start with the runner, and end with it.
import { JobRunner } from "powerhose";
import { threads } from "powerhose/threads";

const runner = new JobRunner({
  listen: threads(new URL("./square.js", import.meta.url), { size: 2 }),
});
await runner.start();

const numbers = [3, 30_000, 7, 12];
const squares = await Promise.all(numbers.map((number) => runner.execute(String(number))));
numbers.forEach((number, index) => console.log(`${number} squared is ${String(squares[index])}`));

await runner.stop();
