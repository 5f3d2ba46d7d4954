//! What simulated sounds are called, and who listens to them.

/// GeoNames ID, ISO 3166 alpha-2 code, English name.
pub(super) const COUNTRIES: [(&str, &str, &str); 40] = [
    ("6252001", "US", "United States"),
    ("458258", "LV", "Latvia"),
    ("3202326", "HR", "Croatia"),
    ("597427", "LT", "Lithuania"),
    ("732800", "BG", "Bulgaria"),
    ("2782113", "AT", "Austria"),
    ("798549", "RO", "Romania"),
    ("2264397", "PT", "Portugal"),
    ("2510769", "ES", "Spain"),
    ("2658434", "CH", "Switzerland"),
    ("1821275", "MO", "Macao"),
    ("2635167", "GB", "United Kingdom"),
    ("2921044", "DE", "Germany"),
    ("3017382", "FR", "France"),
    ("3175395", "IT", "Italy"),
    ("798544", "PL", "Poland"),
    ("3469034", "BR", "Brazil"),
    ("3996063", "MX", "Mexico"),
    ("1861060", "JP", "Japan"),
    ("1835841", "KR", "South Korea"),
    ("1643084", "ID", "Indonesia"),
    ("1694008", "PH", "Philippines"),
    ("1605651", "TH", "Thailand"),
    ("1562822", "VN", "Vietnam"),
    ("298795", "TR", "Turkey"),
    ("2661886", "SE", "Sweden"),
    ("3144096", "NO", "Norway"),
    ("660013", "FI", "Finland"),
    ("2623032", "DK", "Denmark"),
    ("2750405", "NL", "Netherlands"),
    ("2963597", "IE", "Ireland"),
    ("3077311", "CZ", "Czechia"),
    ("719819", "HU", "Hungary"),
    ("390903", "GR", "Greece"),
    ("6251999", "CA", "Canada"),
    ("2077456", "AU", "Australia"),
    ("3865483", "AR", "Argentina"),
    ("3895114", "CL", "Chile"),
    ("1733045", "MY", "Malaysia"),
    ("953987", "ZA", "South Africa"),
];

/// ID and English name.
pub(super) const INTERESTS: [(&str, &str); 9] = [
    ("10004", "Scripted Drama"),
    ("10011", "Other Talent"),
    ("10019", "Dance"),
    ("10027", "Singing & Instruments"),
    ("10033", "Cats & Dogs"),
    ("10049", "Entertainment News"),
    ("10058", "Cooking"),
    ("10073", "Selfies"),
    ("10081", "Street Interviews & Social Experiments"),
];

/// First words of titles.
pub(super) const FIRST: [&str; 12] = [
    "New", "Slow", "Midnight", "Café", "Lost", "Neon", "Ísland", "Paper", "Second", "夜の", "Señora",
    "Velvet",
];

/// Last words of titles.
pub(super) const LAST: [&str; 12] = [
    "Sun",
    "Rain",
    "Drive",
    "Hearts",
    "Signal (sped up)",
    "Garden",
    "Tide",
    "Radio",
    "Fever",
    "Letters 💌",
    "Motion",
    "Echo",
];

/// Authors.
pub(super) const AUTHORS: [&str; 10] = [
    "Mira Holm",
    "DJ Okapi",
    "The Lanterns",
    "José & Ana",
    "Yuki Tanabe",
    "Low Orbit",
    "Søren",
    "Kala Rao",
    "Фонарь",
    "Paper Boats",
];
