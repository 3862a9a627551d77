// What is asked of the console's page in several places.

/** Waits until a tool's button says that the end user has granted it. */
export function granted(technician, tool, timeout = 15_000) {
  return technician.page.locator(`[data-testid="${tool}"][aria-pressed="true"]`).first().waitFor({ timeout });
}
