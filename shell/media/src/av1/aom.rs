//! libaom behind a safe face: planes in, a temporal unit out.
//!
//! The only file with `unsafe` in this crate: libaom is a C library.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_uint};
use std::mem::MaybeUninit;
use std::ptr;

use belay_screen::VideoError;
use libaom_sys as sys;

/// Quantizer, 0 (finest) to 63: a moving picture is good enough, for it is sent exactly when it rests.
const QUANTIZER: c_uint = 38;
/// The fastest setting but one; the fastest costs nearly twice the bytes.
const SPEED: c_int = 10;
/// Units of time a second, and the length of a frame in them. Only rate control looks at them, and the quantizer is fixed.
const TIMEBASE: c_int = 1000;
const FRAME: i64 = 33;

/// One stream's encoder.
pub struct Encoder {
    /// libaom's context. On the heap, for libaom must find it where it was made.
    // INVARIANT: initialized by `aom_codec_enc_init_ver`; destroyed once, in `drop`.
    context: Box<sys::aom_codec_ctx_t>,
    /// Luma, blue and red chroma, one after the other.
    // INVARIANT: width × height × 3 bytes, never resized.
    planes: Vec<u8>,
    width: u16,
    height: u16,
    frames: i64,
}

// SAFETY: a context of libaom is bound to no thread; it must only not be used by two at once, and `&mut self` sees to that.
unsafe impl Send for Encoder {}

impl Encoder {
    /// An encoder for pictures of this size.
    pub fn open(width: u16, height: u16) -> Result<Encoder, VideoError> {
        let mut config = MaybeUninit::<sys::aom_codec_enc_cfg_t>::uninit();
        // SAFETY: the interface is a static of the library; the default configuration fills all of `config` when it succeeds.
        let mut config = unsafe {
            let interface = sys::aom_codec_av1_cx();
            let code =
                sys::aom_codec_enc_config_default(interface, config.as_mut_ptr(), sys::AOM_USAGE_REALTIME);
            check(code, "default configuration")?;
            config.assume_init()
        };
        config.g_w = c_uint::from(width);
        config.g_h = c_uint::from(height);
        config.g_profile = 1;
        config.g_threads = 1;
        config.g_timebase = sys::aom_rational { num: 1, den: TIMEBASE };
        config.g_lag_in_frames = 0;
        config.g_pass = sys::AOM_RC_ONE_PASS;
        config.g_error_resilient = 0;
        config.rc_end_usage = sys::AOM_CBR;
        config.rc_min_quantizer = QUANTIZER;
        config.rc_max_quantizer = QUANTIZER;
        config.rc_target_bitrate = 20_000;
        config.rc_dropframe_thresh = 0;
        config.kf_mode = sys::AOM_KF_DISABLED;
        let mut context = Box::new(MaybeUninit::<sys::aom_codec_ctx_t>::zeroed());
        // SAFETY: both pointers are of live values; when it succeeds the context is initialized.
        let context = unsafe {
            let version = sys::AOM_ENCODER_ABI_VERSION as c_int;
            let code = sys::aom_codec_enc_init_ver(
                context.as_mut_ptr(),
                sys::aom_codec_av1_cx(),
                &config,
                0,
                version,
            );
            check(code, "start")?;
            context.assume_init()
        };
        let planes = vec![0; usize::from(width) * usize::from(height) * 3];
        let mut encoder = Encoder { context, planes, width, height, frames: 0 };
        for (control, value) in settings() {
            encoder.set(control, value)?;
        }
        Ok(encoder)
    }

    /// Width and height.
    pub fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    /// The next picture's planes, to be filled.
    pub fn planes(&mut self) -> &mut [u8] {
        &mut self.planes
    }

    /// Encodes the planes.
    pub fn encode(&mut self) -> Result<Vec<u8>, VideoError> {
        let (width, height) = (c_uint::from(self.width), c_uint::from(self.height));
        let mut image = MaybeUninit::<sys::aom_image_t>::zeroed();
        let data = self.planes.as_mut_ptr();
        // SAFETY: `planes` has width × height × 3 bytes, which is what three unpadded 8-bit planes take; it lives, unmoved,
        // until the image was encoded, and libaom keeps a copy.
        let code = unsafe {
            if sys::aom_img_wrap(image.as_mut_ptr(), sys::AOM_IMG_FMT_I444, width, height, 1, data).is_null()
            {
                return Err(VideoError("no image".to_owned()));
            }
            let image = image.assume_init_mut();
            (image.cp, image.tc) = (sys::AOM_CICP_CP_BT_709, sys::AOM_CICP_TC_SRGB);
            (image.mc, image.range) = (sys::AOM_CICP_MC_BT_709, sys::AOM_CR_FULL_RANGE);
            sys::aom_codec_encode(&mut *self.context, image, self.frames * FRAME, FRAME as _, 0)
        };
        check(code, "frame")?;
        self.frames += 1;
        let mut bytes = Vec::new();
        let mut place: sys::aom_codec_iter_t = ptr::null();
        loop {
            // SAFETY: the context is initialized; a packet is good until the next call that uses the context, and its bytes
            // are copied before that.
            unsafe {
                let packet = sys::aom_codec_get_cx_data(&mut *self.context, &mut place);
                let Some(packet) = packet.as_ref() else { break };
                if packet.kind == sys::AOM_CODEC_CX_FRAME_PKT {
                    let frame = packet.data.frame;
                    bytes.extend_from_slice(std::slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz));
                }
            }
        }
        if bytes.is_empty() { Err(VideoError("no frame came out".to_owned())) } else { Ok(bytes) }
    }

    fn set(&mut self, control: sys::aome_enc_control_id, value: c_int) -> Result<(), VideoError> {
        // SAFETY: the context is initialized, and every control in `settings` takes one int (or an unsigned one of the same size).
        check(unsafe { sys::aom_codec_control(&mut *self.context, control as c_int, value) }, "setting")
    }

    /// The luma plane as a decoder will show it.
    #[cfg(test)]
    pub fn decoded_luma(&mut self) -> Vec<u8> {
        // SAFETY: the context is initialized; the picture has at least as many rows of `stride` bytes as the frame.
        unsafe {
            let picture = sys::aom_codec_get_preview_frame(&mut *self.context).as_ref().unwrap();
            let row = |y: usize| {
                let start = picture.planes[0].add(y * picture.stride[0] as usize);
                std::slice::from_raw_parts(start, usize::from(self.width)).to_vec()
            };
            (0..usize::from(self.height)).flat_map(row).collect()
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the context is initialized and is not used again.
        unsafe { sys::aom_codec_destroy(&mut *self.context) };
        // SAFETY: takes no pointer. libaom's buffers are large; the C library would keep them for a next time that may not come.
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

/// What differs from the defaults of real-time encoding: screen content, and everything off that costs time at each frame
/// and gains little at this speed.
fn settings() -> [(sys::aome_enc_control_id, c_int); 23] {
    [
        (sys::AOME_SET_CPUUSED, SPEED),
        (sys::AV1E_SET_TUNE_CONTENT, sys::AOM_CONTENT_SCREEN as c_int),
        (sys::AV1E_SET_ENABLE_PALETTE, 1),
        (sys::AV1E_SET_ENABLE_INTRABC, 0),
        (sys::AV1E_SET_ENABLE_CDEF, 1),
        (sys::AV1E_SET_ENABLE_ORDER_HINT, 0),
        (sys::AV1E_SET_ENABLE_TPL_MODEL, 0),
        (sys::AV1E_SET_DELTAQ_MODE, 0),
        (sys::AV1E_SET_AQ_MODE, 0),
        (sys::AV1E_SET_ENABLE_OBMC, 0),
        (sys::AV1E_SET_ENABLE_WARPED_MOTION, 0),
        (sys::AV1E_SET_ENABLE_GLOBAL_MOTION, 0),
        (sys::AV1E_SET_ENABLE_REF_FRAME_MVS, 0),
        (sys::AV1E_SET_COEFF_COST_UPD_FREQ, 3),
        (sys::AV1E_SET_MODE_COST_UPD_FREQ, 3),
        (sys::AV1E_SET_MV_COST_UPD_FREQ, 3),
        (sys::AV1E_SET_INTRA_DEFAULT_TX_ONLY, 1),
        (sys::AV1E_SET_MAX_REFERENCE_FRAMES, 3),
        (sys::AV1E_SET_REDUCED_REFERENCE_SET, 1),
        (sys::AV1E_SET_COLOR_PRIMARIES, sys::AOM_CICP_CP_BT_709 as c_int),
        (sys::AV1E_SET_TRANSFER_CHARACTERISTICS, sys::AOM_CICP_TC_SRGB as c_int),
        (sys::AV1E_SET_MATRIX_COEFFICIENTS, sys::AOM_CICP_MC_BT_709 as c_int),
        (sys::AV1E_SET_COLOR_RANGE, sys::AOM_CR_FULL_RANGE as c_int),
    ]
}

fn check(code: sys::aom_codec_err_t, what: &str) -> Result<(), VideoError> {
    if code == sys::AOM_CODEC_OK {
        return Ok(());
    }
    // SAFETY: the library answers every code with a static text.
    let text = unsafe { CStr::from_ptr(sys::aom_codec_err_to_string(code)) };
    Err(VideoError(format!("{what}: {}", text.to_string_lossy())))
}
