//! Points in time as the log writes them.

use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time in UTC with milliseconds: `2026-11-20T09:15:02.481Z`. Shown; never decided on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(i64);

impl At {
    /// The years 1 to 9999, a day short at either end: what a calendar can show in any zone.
    const RANGE: std::ops::RangeInclusive<i64> = -62_135_500_000_000..=253_402_100_000_000;

    /// Milliseconds since the epoch, cut to what a calendar can show.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(*Self::RANGE.start(), *Self::RANGE.end()))
    }

    /// Milliseconds since the epoch.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The same moment for calendar arithmetic.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).expect("from_millis keeps the value in range")
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let timestamp: Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self::from_millis(timestamp.as_millisecond()))
    }
}

impl JsonSchema for At {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "At".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A point in time in UTC with milliseconds.",
            "type": "string",
            "format": "date-time",
            "pattern": r"^-?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_survives_json() {
        let at = At::from_millis(1_795_166_102_481);
        let json = serde_json::to_string(&at).unwrap();
        assert_eq!(json, r#""2026-11-20T09:15:02.481Z""#);
        assert_eq!(serde_json::from_str::<At>(&json).unwrap(), at);
        assert_eq!(At::from_millis(i64::MAX).timestamp(), At::from_millis(i64::MAX).timestamp());
    }
}
