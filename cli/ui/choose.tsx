/** Lets the user choose the process to attach to, full screen. Refreshes every two seconds. */
import { type Instance, render } from "ink";
import { attachable } from "../system/process-list.js";
import { Keyboard } from "./keys.js";
import { Picker } from "./Picker.js";
import { Painter } from "./painter.js";
import { FIRST_CHOICE, matching, pick } from "./pick.js";
import { Terminal } from "./terminal.js";
import { themeOf } from "./theme.js";

const LOOK_MS = 2000;
/** Rows around the list. */
const FRAME = 3;

/** The pid; null if the user cancelled, or a signal arrived. */
export function chooseProcess(): Promise<number | null> {
  return new Promise((resolve) => {
    let [all, choice] = [attachable(), FIRST_CHOICE];
    let ink: Instance | null = null;
    const theme = themeOf(process.env);
    const keyboard = new Keyboard((key) => {
      if (key.name === "ctrl-z") return terminal.stop();
      const picked = pick(choice, key, all, terminal.size.rows - FRAME);
      if ("pid" in picked) return end(picked.pid);
      choice = picked.choice;
      draw();
    });
    const terminal = new Terminal({
      onInput: (text) => keyboard.take(text),
      onRedraw: (size) => {
        painter.redraw(size);
        draw();
      },
    });
    const painter = new Painter((text) => terminal.write(text), terminal.size);
    const draw = () => {
      const app = <Picker shown={matching(all, choice)} choice={choice} size={terminal.size} theme={theme} />;
      const stdout = painter as unknown as NodeJS.WriteStream;
      if (ink === null)
        ink = render(app, {
          stdout,
          debug: true,
          exitOnCtrlC: false,
          patchConsole: false,
          isScreenReaderEnabled: false,
        });
      else ink.rerender(app);
    };
    const look = setInterval(() => {
      const chosen = matching(all, choice)[choice.index]?.pid;
      all = attachable();
      const index = matching(all, choice).findIndex((one) => one.pid === chosen);
      choice = { ...choice, index: Math.max(0, index) };
      draw();
    }, LOOK_MS);
    const leave = () => end(null);
    const end = (pid: number | null) => {
      clearInterval(look);
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, leave);
      keyboard.close();
      painter.close();
      ink?.unmount();
      terminal.close();
      resolve(pid);
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, leave);
    terminal.open();
    draw();
  });
}
