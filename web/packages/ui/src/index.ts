// Public face of @belay/ui.
