/** What is installed along with the package, and what runs when it is. Row T31. */
import { readImports } from "../../support/import-graph.ts";
import { INSTALL_SCRIPTS, lockedPackages, manifest, textsBelow } from "../../support/package-files.ts";
import type { Finding } from "../section.ts";
import { all, none, type Row, same } from "./row.ts";

async function supply(): Promise<readonly Finding[]> {
  const { dependencies, scripts, peerDependencies = {}, peerDependenciesMeta = {}, ...rest } = manifest();
  const optional = Object.entries(peerDependenciesMeta).filter(([, meta]) => meta.optional === true);
  const locked = [...lockedPackages()];
  const runtime = locked.filter(([, one]) => one.dev !== true);
  // The packages of the dashboard are bundled into it.
  const sources = [...textsBelow("src", ".ts")].filter(([path]) => !path.startsWith("src/dashboard-client/"));
  // An import of types leaves no trace in what is published as code.
  const foreign = readImports(new Map(sources)).filter(
    ({ to, typeOnly }) => !typeOnly && !/^(src\/|node:|\(computed\)$)/.test(to),
  );
  const others = ["optionalDependencies", "bundleDependencies", "bundledDependencies"];
  return Promise.resolve([
    same("runtime dependencies", Object.keys(dependencies), ["ws"]),
    same("pinned to one version", /^\d+\.\d+\.\d+$/.test(dependencies["ws"] ?? ""), true),
    same(
      "other ways to bring packages along",
      others.filter((field) => rest[field] !== undefined),
      [],
    ),
    same(
      "peers that are not optional",
      Object.keys(peerDependencies).filter((name) => !optional.some(([known]) => known === name)),
      [],
    ),
    same(
      "packages in the lock that are not for development",
      runtime.map(([path]) => path),
      ["node_modules/ws"],
    ),
    same("packages that src imports when it runs", [...new Set(foreign.map(({ to }) => to))], ["ws"]),
    none(
      "imports of it outside its own subpath",
      foreign.filter(({ from }) => !from.startsWith("src/transports/websocket/node/")).length,
      foreign.length,
    ),
    same(
      "scripts that run on installation",
      Object.keys(scripts).filter((name) => INSTALL_SCRIPTS.includes(name)),
      [],
    ),
    none(
      "runtime packages with an installation script",
      runtime.filter(([, one]) => one.hasInstallScript === true).length,
      runtime.length,
    ),
    all(
      "locked packages with a checksum",
      locked.filter(([, one]) => one.integrity?.startsWith("sha512-") === true).length,
      locked.length,
    ),
    none(
      "locked packages that name where they come from",
      locked.filter(([, one]) => one.resolved !== undefined).length,
      locked.length,
    ),
  ]);
}

/** What is installed. */
export const supplyRows: readonly Row[] = [{ name: "T31", threat: "what others' packages bring along", check: supply }];
