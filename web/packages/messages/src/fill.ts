// Placeholders: `{name}` in a text stands for a value. The compiler knows which ones a text has.
type Names<S extends string> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;

/** The parameters a text needs: none, or one object with exactly its placeholders. */
export type Params<S extends string> = [Names<S>] extends [never] ? [] : [values: Record<Names<S>, string | number>];

export function fill(text: string, values?: Record<string, string | number>): string {
  if (!values) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

export function placeholders(text: string): string[] {
  return [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string).sort();
}
