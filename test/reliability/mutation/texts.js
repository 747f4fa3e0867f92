/** Leaves out texts for people: a message that is worded otherwise is no bug. A text with a space in it is one. */
import { declareValuePlugin, PluginKind } from "@stryker-mutator/api/plugin";

const texts = {
  shouldIgnore(path) {
    const worded =
      (path.isStringLiteral() && path.node.value.includes(" ")) ||
      (path.isTemplateLiteral() && path.node.quasis.some(({ value }) => value.raw.includes(" ")));
    return worded ? "a text for people" : undefined;
  },
};

export const strykerPlugins = [declareValuePlugin(PluginKind.Ignore, "texts", texts)];
