// Public face of @belay/api.
