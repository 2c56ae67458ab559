/** Real servers from Debian, each with a library of ours that requests call into: for bench/stalls.ts. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const LIMIT_MS = 20_000;

export interface Server {
  readonly name: string;
  readonly version: string;
  readonly port: number;
  /** The client's greeting, its request, and the end of an answer. */
  readonly greeting: Buffer;
  readonly request: Buffer;
  readonly last: Buffer;
  /** The process that answers; for Postgres only once the client is connected. */
  host(): number;
  end(): Promise<void>;
}

/** `library` of the n-th generation. */
export interface Kind {
  readonly name: string;
  /** The packages to install; null if nothing is missing. */
  missing(): string | null;
  source(n: number): string;
  readonly flags: () => readonly string[];
  start(folder: string, library: string): Promise<Server>;
}

const MARKED = (n: number): string => `#include "hotpatch.h"\nHOTPATCH long long value(void) { return ${n}; }\n`;

const REDIS_MODULE = `
typedef long long (*command)(void *context, void **arguments, int count);
static int (*get)(const char *name, void *to), (*attributes)(void *, const char *, int, int), (*reply)(void *, long long);
static int (*create)(void *, const char *, void *, const char *, int, int, int);
static int answer(void *context, void **arguments, int count) {
  return reply(context, arguments != 0 && count > 0 ? value() : -1);
}
int RedisModule_OnLoad(void *context, void **arguments, int count) {
  get = *(void **)context; /* the first field, through which modules find everything else */
  if (get("RedisModule_SetModuleAttribs", &attributes) || get("RedisModule_CreateCommand", &create) || get("RedisModule_ReplyWithLongLong", &reply)) return 1;
  attributes(context, "patched", 1, 1);
  return arguments == 0 ? count : create(context, "patched.value", answer, "readonly", 0, 0, 0);
}
`;

/** nginx has no module of ours: its recv() goes through the library, which is preloaded. */
const RECEIVING = `
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>
ssize_t recv(int fd, void *buffer, size_t size, int flags) {
  return value() < 0 ? -1 : syscall(SYS_recvfrom, fd, buffer, size, flags, NULL, NULL);
}
`;

const POSTGRES_FUNCTION = `
#include "postgres.h"
#include "fmgr.h"
PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(patched_value);
Datum patched_value(PG_FUNCTION_ARGS) { PG_RETURN_INT64(value()); }
`;

const command = (name: string): string | null =>
  (process.env.PATH ?? "")
    .split(":")
    .concat("/usr/sbin")
    .map((folder) => join(folder, name))
    .find(existsSync) ?? null;

const said = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: "utf8" }).trim();

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });

async function answers(port: number, child: ChildProcess): Promise<void> {
  const { createConnection } = await import("node:net");
  for (
    const until = performance.now() + LIMIT_MS;
    performance.now() < until && child.exitCode === null;
    await wait(20)
  ) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
    if (open) return;
  }
  throw new Error(`${child.spawnfile} does not answer`);
}

const ending = (child: ChildProcess, signal: NodeJS.Signals) => async (): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  await ended;
  clearTimeout(timer);
};

export const REDIS: Kind = {
  name: "redis",
  missing: () => (command("redis-server") === null ? "redis-server" : null),
  source: (n) => MARKED(n) + REDIS_MODULE,
  flags: () => [],
  async start(folder, library) {
    const [program, port] = [command("redis-server") ?? "", await freePort()];
    const options = [
      "--bind",
      "127.0.0.1",
      "--port",
      String(port),
      "--dir",
      folder,
      "--save",
      "",
      "--loadmodule",
      library,
    ];
    const child = spawn(program, options, { stdio: ["ignore", "ignore", "inherit"] });
    await answers(port, child);
    return {
      name: "redis",
      version: /v=(\S+)/.exec(said(program, "--version"))?.[1] ?? "",
      port,
      greeting: Buffer.alloc(0),
      request: Buffer.from("patched.value\r\n"),
      last: Buffer.from("\r\n"),
      host: () => child.pid ?? 0,
      end: ending(child, "SIGTERM"),
    };
  },
};

export const NGINX: Kind = {
  name: "nginx",
  missing: () => (command("nginx") === null ? "nginx-light" : null),
  source: (n) => MARKED(n) + RECEIVING,
  flags: () => [],
  async start(folder, library) {
    const [program, port] = [command("nginx") ?? "", await freePort()];
    const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((one) => `${one}_temp_path ${folder};`);
    const server = `listen 127.0.0.1:${port}; location / { return 200 "answered"; }`;
    writeFileSync(
      join(folder, "nginx.conf"),
      `daemon off; master_process off; pid ${folder}/pid; error_log stderr warn; events {}
http { access_log off; keepalive_requests 1000000000; ${temp.join(" ")} server { ${server} } }`,
    );
    const child = spawn(program, ["-p", folder, "-c", join(folder, "nginx.conf")], {
      env: { ...process.env, LD_PRELOAD: library },
      stdio: ["ignore", "ignore", "inherit"],
    });
    await answers(port, child);
    return {
      name: "nginx",
      version: /nginx\/(\S+)/.exec(said("sh", "-c", `'${program}' -v 2>&1`))?.[1] ?? "",
      port,
      greeting: Buffer.alloc(0),
      request: Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
      last: Buffer.from("answered"),
      host: () => child.pid ?? 0,
      end: ending(child, "SIGTERM"),
    };
  },
};

const postgresFolder = (): string | null => {
  const versions = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql") : [];
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? null : `/usr/lib/postgresql/${newest}/bin`;
};
const postgresHeaders = (): string => {
  const folder = postgresFolder();
  const config = folder === null ? "" : join(folder, "pg_config");
  return existsSync(config) ? said(config, "--includedir-server") : "";
};

export const POSTGRES: Kind = {
  name: "Postgres",
  missing: () =>
    existsSync(join(postgresHeaders(), "postgres.h")) ? null : "postgresql postgresql-server-dev-<its version>",
  source: (n) => MARKED(n) + POSTGRES_FUNCTION,
  flags: () => [`-I${postgresHeaders()}`],
  async start(folder, library) {
    const [programs, port, data] = [postgresFolder() ?? "", await freePort(), join(folder, "data")];
    // It refuses to run as root.
    const user =
      process.getuid?.() === 0
        ? { uid: Number(said("id", "-u", "nobody")), gid: Number(said("id", "-g", "nobody")) }
        : {};
    mkdirSync(data, { mode: 0o700 });
    if (user.uid !== undefined) chownSync(data, user.uid, user.gid);
    chmodSync(library, 0o755);
    execFileSync(join(programs, "initdb"), ["-D", data, "-A", "trust", "-U", "bench", "-N"], {
      ...user,
      cwd: data,
      stdio: "ignore",
    });
    const options = [
      "-D",
      data,
      "-h",
      "127.0.0.1",
      "-p",
      String(port),
      "-k",
      data,
      "-c",
      "autovacuum=off",
      "-c",
      "logging_collector=off",
    ];
    const child = spawn(join(programs, "postgres"), options, {
      ...user,
      cwd: data,
      stdio: ["ignore", "ignore", "ignore"],
    });
    await answers(port, child);
    const psql = ["-h", "127.0.0.1", "-p", String(port), "-U", "bench", "-d", "postgres", "-qc"];
    const sql = `CREATE FUNCTION patched_value() RETURNS bigint AS '${library}' LANGUAGE C`;
    for (const until = performance.now() + LIMIT_MS; ; await wait(100))
      try {
        execFileSync(join(programs, "psql"), [...psql, sql], { stdio: "ignore" });
        break;
      } catch (error) {
        if (performance.now() > until) throw error; // it is still starting
      }
    const greeting = Buffer.from("\0\0\0\0\0\x03\0\0user\0bench\0database\0postgres\0\0", "latin1");
    greeting.writeUInt32BE(greeting.length);
    const request = Buffer.from("Q\0\0\0\0SELECT patched_value()\0", "latin1");
    request.writeUInt32BE(request.length - 1, 1);
    return {
      name: "Postgres",
      version: said(join(programs, "postgres"), "--version").split(" ")[2] ?? "",
      port,
      greeting,
      request,
      last: Buffer.from("Z\0\0\0\x05I", "latin1"),
      host: () => childWith(child.pid ?? 0, library),
      end: ending(child, "SIGINT"),
    };
  },
};

/** The child of a process that has a library mapped. */
function childWith(parent: number, library: string): number {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ");
  const one = children.find((pid) => readFileSync(`/proc/${pid}/maps`, "utf8").includes(library));
  if (one === undefined) throw new Error(`no process has loaded ${library}`);
  return Number(one);
}
