# How libaom is built: only the real-time encoder for 8 bits a channel. The build script of libaom-sys has no switches for
# this; cmake reads this file first because .cargo/config.toml names it as the toolchain file, and keeps what is set here.
set(CONFIG_REALTIME_ONLY 1 CACHE STRING "no encoding that looks ahead")
set(CONFIG_AV1_HIGHBITDEPTH 0 CACHE STRING "desktops have 8 bits a channel")
set(CONFIG_AV1_DECODER 0 CACHE STRING "the browser decodes")
set(CONFIG_WEBM_IO 0 CACHE STRING "no files")
set(CONFIG_LIBYUV 0 CACHE STRING "no scaling")
set(CONFIG_SVT_AV1 0 CACHE STRING "code under another licence")
