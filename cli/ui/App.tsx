/** The whole screen, from the session's state and the user's view. Pure: no hooks, no clock, no I/O. */
import { Box } from "ink";
import type { SessionState } from "../view/session-state.js";
import type { Context } from "./context.js";
import { FunctionTable } from "./FunctionTable.js";
import { Header } from "./Header.js";
import { KeyBar } from "./KeyBar.js";
import { LowerPane } from "./LowerPane.js";
import type { Size } from "./painter.js";
import { panelLines, panelOf } from "./panels.js";
import { libraryOf, type Row, rowsOf } from "./rows.js";
import { SaveLine } from "./SaveLine.js";
import { layoutOf, type ScreenLayout } from "./screen-layout.js";
import { TextPanel } from "./TextPanel.js";
import { Timeline } from "./Timeline.js";
import type { View } from "./view.js";

interface Props {
  readonly state: SessionState;
  readonly view: View;
  readonly size: Size;
  readonly context: Context;
}

export function App({ state, view, size, context }: Props) {
  const rows = rowsOf(state, view.filter, context.names);
  const layout = layoutOf(size, view, state.libraries.length, rows.length);
  const { columns } = layout;
  const rollbackOf = state.libraries.find((l) => l.name === view.rollback?.library);
  return (
    <Box flexDirection="column" width={columns} height={layout.rows}>
      <Header state={state} layout={layout} context={context} />
      <SaveLine state={state} ending={view.ending} columns={columns} context={context} />
      <Main state={state} view={view} rows={rows} layout={layout} context={context} />
      {layout.timeline && (
        <Timeline
          library={rollbackOf ?? libraryOf(state, rows, view.chosen)}
          builds={state.builds}
          chosen={view.rollback?.generation ?? null}
          columns={columns}
          context={context}
        />
      )}
      <LowerPane
        state={state}
        top={view.outputTop}
        typing={view.focus === "output"}
        rows={layout.lower}
        columns={columns}
        context={context}
      />
      <KeyBar state={state} view={view} columns={columns} context={context} />
    </Box>
  );
}

interface MainProps {
  readonly state: SessionState;
  readonly view: View;
  readonly rows: readonly Row[];
  readonly layout: ScreenLayout;
  readonly context: Context;
}

function Main({ state, view, rows, layout, context }: MainProps) {
  const { main, columns, compact } = layout;
  if (main <= 0) return null;
  if (view.panel === "functions" && view.rollback === null)
    return (
      <FunctionTable
        all={rows}
        count={state.libraries.reduce((sum, l) => sum + l.count, 0)}
        chosen={view.chosen}
        top={view.top}
        filter={view.filter}
        filtering={view.filtering}
        rows={main}
        columns={columns}
        compact={compact}
        context={context}
      />
    );
  return (
    <TextPanel
      title={panelOf(state, view, context).title}
      lines={panelLines(state, view, context, columns)}
      scroll={view.scroll}
      rows={main}
      columns={columns}
      theme={context.theme}
    />
  );
}
