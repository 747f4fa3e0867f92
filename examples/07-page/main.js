// A page that draws the Mandelbrot set on all cores but one: typed functions in Web Workers, instead of comlink and a pool.
// `node main.js`, then open the address it prints. Vite serves page and workers, TypeScript included, without configuration.
import { fileURLToPath } from "node:url";
import { createServer } from "vite";

// The page says when it is done; that is all this process does for it.
let resolve;
const drawn = new Promise((settle) => (resolve = settle));
const done = {
  name: "done",
  configureServer: ({ middlewares }) =>
    void middlewares.use("/done", (request, response) => {
      response.end();
      resolve(new URL(request.url, "http://localhost").searchParams);
    }),
};

const server = await createServer({
  root: fileURLToPath(new URL(".", import.meta.url)),
  configFile: false,
  logLevel: "error",
  server: { host: "127.0.0.1", port: Number(process.env.PORT ?? 0), strictPort: true },
  plugins: [done],
});
await server.listen();
console.error(`open ${server.resolvedUrls.local[0]}`);

const result = await drawn;
console.log(`${result.get("rows")} rows drawn, ${result.get("inside")} points inside`);
await server.close();
