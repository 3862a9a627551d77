// Public face of @belay/messages.
