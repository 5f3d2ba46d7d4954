//! The markets that the API is known to serve.

use crate::model::Region;
use crate::problem::Problem;

/// The known markets. The API's own set is not documented, so others are doubted, not refused.
pub const REGIONS: [&str; 71] = [
    "AE", "AR", "AT", "AU", "BD", "BE", "BG", "BH", "BR", "BY", "CA", "CH", "CL", "CO", "CZ", "DE", "DK",
    "EE", "EG", "ES", "FI", "FR", "GB", "GR", "HR", "HU", "ID", "IE", "IL", "IQ", "IS", "IT", "JO", "JP",
    "KH", "KR", "KW", "KZ", "LB", "LT", "LU", "LV", "MA", "MM", "MO", "MX", "MY", "NG", "NL", "NO", "NZ",
    "OM", "PE", "PH", "PK", "PL", "PT", "QA", "RO", "SA", "SE", "SG", "SK", "TH", "TR", "TW", "UA", "US",
    "UZ", "VN", "ZA",
];

/// Codes that people write for a market that has another.
const MEANT: [(&str, &str); 2] = [("UK", "GB"), ("EL", "GR")];

/// What to say about a region that is not among the known ones: message and advice.
pub fn region_doubt(region: Region) -> Option<(String, String)> {
    let code = region.as_str();
    if REGIONS.binary_search(&code).is_ok() {
        return None;
    }
    let advice = match MEANT.iter().find(|(written, _)| *written == code) {
        Some((_, meant)) => format!("did you mean \"{meant}\"?"),
        None => "check that the API serves it, or requests may be wasted".to_owned(),
    };
    let count = REGIONS.len();
    Some((
        format!("\"{code}\" is not one of the {count} known regions"),
        advice,
    ))
}

/// The same about those that stand in a setting.
pub fn region_doubts(setting: &str, regions: &[Region]) -> Vec<Problem> {
    let doubts = regions.iter().filter_map(|region| region_doubt(*region));
    doubts
        .map(|(message, help)| Problem::new(format!("{setting}: {message}")).help(help))
        .collect()
}
