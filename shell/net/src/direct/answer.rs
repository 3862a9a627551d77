//! The answer to the console's offer: a peer connection with the one data channel that both ends know of.

use std::sync::Arc;
use std::time::Instant;
use str0m::Rtc;
use str0m::change::SdpOffer;
use str0m::channel::{ChannelConfig, ChannelId, Reliability};

use super::peer::Ended;

/// Name and label of the data channel; it stands in no packet because both ends know it.
const LABEL: &str = "belay-link/2";
/// Bytes in the data channel, not acknowledged yet, from which on frames wait, so that the link feels how fast the way is.
pub(super) const CHANNEL_FULL: usize = 128 << 10;
/// The largest frame, with room for what the link may choose.
const MAX_FRAME: u32 = 64 << 10;

/// The peer connection for an offer, its data channel, and the answer.
pub(super) fn answer(offer: &str) -> Result<(Rtc, ChannelId, String), Ended> {
    let offer = SdpOffer::from_sdp_string(offer).map_err(|error| Ended::Offer(error.to_string()))?;
    let mut rtc = Rtc::builder()
        .set_crypto_provider(Arc::new(str0m::crypto::from_feature_flags()))
        .clear_codecs()
        .set_sctp_max_buffered_amount(CHANNEL_FULL + MAX_FRAME as usize)
        .set_sctp_max_message_size(MAX_FRAME)
        .build(Instant::now());
    let answer = rtc.sdp_api().accept_offer(offer)?;
    let channel = rtc.direct_api().create_data_channel(channel());
    Ok((rtc, channel, answer.to_sdp_string()))
}

/// The data channel both ends agree on beforehand.
fn channel() -> ChannelConfig {
    ChannelConfig {
        label: LABEL.to_owned(),
        ordered: false,
        reliability: Reliability::MaxRetransmits { retransmits: 0 },
        negotiated: Some(0),
        protocol: String::new(),
    }
}
