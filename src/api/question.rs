//! What can be asked of the API, each with its endpoint and the reading of its answer.

use super::wire::{self, Reading};
use crate::model::{Ask, ChartAsk, ChartPage, Content};

/// Something that one request asks for.
pub trait Question: Clone {
    /// What a good answer says.
    type Content;
    /// Its endpoint, below `api.base_url`.
    const PATH: &'static str;

    /// The parameters of the request.
    fn parameters(&self) -> Vec<(&'static str, String)>;

    /// Reads the answer. Never fails: an answer that can't be used is a verdict too.
    fn read(&self, http_status: u16, body: &[u8]) -> Reading<Self::Content>;
}

impl Question for Ask {
    type Content = Content;
    const PATH: &'static str = "/v1/tiktok/trending/music/detail";

    fn parameters(&self) -> Vec<(&'static str, String)> {
        vec![
            ("clip_id", self.clip_id.to_string()),
            ("region", self.region.to_string()),
            ("period", self.window.days().to_string()),
        ]
    }

    fn read(&self, http_status: u16, body: &[u8]) -> Reading {
        wire::read(self, http_status, body)
    }
}

impl Question for ChartAsk {
    type Content = ChartPage;
    const PATH: &'static str = "/v1/tiktok/trending/music";

    fn parameters(&self) -> Vec<(&'static str, String)> {
        let chart = &self.chart;
        let mut parameters = vec![
            ("page", self.page.to_string()),
            ("limit", ChartAsk::LIMIT.to_string()),
            ("period", chart.window.days().to_string()),
            ("region", chart.region.to_string()),
        ];
        if chart.new_to_top_100 {
            parameters.push(("new_to_top_100", "true".to_owned()));
        }
        if chart.commercial {
            parameters.push(("commercial_music", "true".to_owned()));
        }
        parameters
    }

    fn read(&self, http_status: u16, body: &[u8]) -> Reading<ChartPage> {
        wire::read_chart(self, http_status, body)
    }
}
