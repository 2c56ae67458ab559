/** The campaign's hosts that bring a runtime of their own, with signal handlers, collectors and threads. */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import type { Workshop } from "../support/workshop.js";

export interface Runtime {
  readonly name: string;
  /** A program that must be there. */
  readonly needs: string;
  /** Builds it; resolves with its command line for a library. */
  make(shop: Workshop): Promise<(library: string) => readonly string[]>;
}

function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = process.env): void {
  const { status, stderr } = spawnSync(command, args, { cwd, env, encoding: "utf8", timeout: 180_000 });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}

const GO = `package main

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
static int (*value)(int);
static void opens(const char *path) { value = (int (*)(int))dlsym(dlopen(path, RTLD_NOW), "value"); }
static int call(void) { return value(1); }
static void churn(void) { free(malloc(3000)); }
*/
import "C"

import (
	"fmt"
	"os"
	"time"
)

type node struct{ next *node }

func trap(n *node) (r int) {
	defer func() {
		if recover() != nil {
			r = 1
		}
	}()
	if n.next != nil {
		return 0
	}
	return 2
}

func main() {
	C.opens(C.CString(os.Args[1]))
	for i := 0; i < 3; i++ {
		go func() {
			for {
				if trap(nil) != 1 {
					fmt.Println("FAULT no panic")
				}
				C.churn()
			}
		}()
	}
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
		fmt.Println("value", C.call())
		time.Sleep(10 * time.Millisecond)
	}
}
`;

const JAVA = `public class Host {
  static native int value();
  static Object nothing = null;
  public static void main(String[] args) throws Exception {
    System.load(args[0]);
    for (int i = 0; i < 3; i++) {
      Thread t = new Thread(() -> { for (;;) { try { nothing.hashCode(); System.out.println("FAULT no exception"); } catch (NullPointerException e) { } } });
      t.setDaemon(true);
      t.start();
    }
    for (long end = System.currentTimeMillis() + 300000; System.currentTimeMillis() < end;) {
      byte[] garbage = new byte[100000];
      System.out.println("value " + value());
      Thread.sleep(10);
    }
  }
}
`;
const JAVA_GLUE = `
#include <dlfcn.h>
#include <stdlib.h>
int Java_Host_value(void *env, void *host) {
  static int (*value)(int);
  if (value == NULL) value = (int (*)(int))dlsym(dlopen(getenv("LIBRARY"), RTLD_NOW), "value");
  (void)env, (void)host;
  return value(1);
}
`;

/** `f(i32) -> i32`, which reads from its memory of one page: out of bounds V8 gets a SIGSEGV and makes an exception of it. */
const WASM = "0061736d0100000001060160017f017f030201000503010001070501016600000a0901070020002802000b";
const NODE = `
const { value } = (() => { const module = { exports: {} }; process.dlopen(module, process.argv[2]); return module.exports; })();
const trap = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from("${WASM}", "hex"))).exports.f;
const end = Date.now() + 300000;
(function beat() {
  for (let i = 0; i < 100; i++) try { trap(0x70000000); console.log("FAULT no trap"); } catch {}
  console.log("value " + value());
  if (Date.now() < end) setTimeout(beat, 10);
})();
`;
const NODE_GLUE = `
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
typedef void *napi;
int napi_create_int32(napi env, int32_t value, napi *result);
int napi_create_function(napi env, const char *name, size_t length, napi (*f)(napi, napi), void *data, napi *result);
int napi_set_named_property(napi env, napi object, const char *name, napi value);
static int (*value)(int);
static napi call(napi env, napi info) { napi result; (void)info; napi_create_int32(env, value(1), &result); return result; }
napi napi_register_module_v1(napi env, napi exports) {
  napi function;
  value = (int (*)(int))dlsym(dlopen(getenv("LIBRARY"), RTLD_NOW), "value");
  napi_create_function(env, "value", 5, call, NULL, &function);
  napi_set_named_property(env, exports, "value", function);
  return exports;
}
`;

const PYTHON = `
import ctypes, sys, threading, time
value = ctypes.CDLL(sys.argv[1]).value
def churn():
    while True:
        [str(i) * 10 for i in range(1000)]
        value(1)
for _ in range(2):
    threading.Thread(target=churn, daemon=True).start()
end = time.time() + 300
while time.time() < end:
    print("value %d" % value(1), flush=True)
    time.sleep(0.01)
`;

const java = (name: string, ...options: string[]): Runtime => ({
  name,
  needs: "javac",
  async make(shop) {
    const folder = shop.folderOf("java", { "Host.java": JAVA, "glue.c": JAVA_GLUE });
    run("javac", ["Host.java"], folder);
    run("gcc", ["-shared", "-fPIC", "-o", "libglue.so", "glue.c"], folder);
    return (library) => [
      "env",
      `LIBRARY=${library}`,
      "java",
      ...options,
      "-cp",
      folder,
      "Host",
      `${folder}/libglue.so`,
    ];
  },
});

export const RUNTIMES: readonly Runtime[] = [
  {
    name: "Go with cgo, recovered nil dereferences",
    needs: "go",
    async make(shop) {
      const folder = shop.folderOf("go", { "main.go": GO, "go.mod": "module host\n\ngo 1.19\n" });
      mkdirSync(shop.path("go-cache"), { recursive: true });
      run("go", ["build", "-o", "host", "."], folder, {
        ...process.env,
        CGO_ENABLED: "1",
        GOFLAGS: "-mod=mod",
        GOCACHE: shop.path("go-cache"),
        GOTOOLCHAIN: "local",
      });
      return (library) => [`${folder}/host`, library];
    },
  },
  java("Java 17, compiled", "-Xmx256m"),
  java("Java 17, -Xint", "-Xint", "-Xmx256m"),
  {
    name: "node with WebAssembly traps",
    needs: "node",
    async make(shop) {
      const folder = shop.folderOf("node", { "host.cjs": NODE, "glue.c": NODE_GLUE });
      run("gcc", ["-shared", "-fPIC", "-o", "glue.node", "glue.c"], folder);
      return (library) => ["env", `LIBRARY=${library}`, process.execPath, `${folder}/host.cjs`, `${folder}/glue.node`];
    },
  },
  {
    name: "Python with threads",
    needs: "python3",
    async make(shop) {
      const file = shop.write("host.py", PYTHON);
      return (library) => ["python3", file, library];
    },
  },
];
