//! What judges found, for the template of the page.

use serde_json::{Value, json};

use super::view::{quote, table};
use crate::report::judges::words as judged;
use crate::report::{Report, figures};

pub fn judges(report: &Report) -> Option<Value> {
    let panels = judged::panels(report);
    if panels.is_empty() {
        return None;
    }
    let shown: Vec<Value> = panels
        .iter()
        .map(|panel| {
            let worst = report.variants.iter().flat_map(|variant| {
                let judges = variant.judges.iter();
                let own = judges.filter(|judge| {
                    judge.judge == panel.judge.judge && judge.models == panel.judge.models
                });
                own.filter(|judge| !judge.worst.is_empty())
                    .map(move |judge| (variant, judge))
            });
            let worst: Vec<Value> = worst
                .map(|(variant, judge)| {
                    json!({
                        "variant": variant.name,
                        "heading": judged::worst_heading(judge, judge.worst.len()),
                        "worst": judge.worst.iter().map(|worst| json!({
                            "example": worst.example,
                            "title": judged::worst_title(worst, quote),
                            "rulings": worst.rulings.iter().map(|ruling| json!({
                                "statement": ruling.statement,
                                "verdict": judged::verdict_word(ruling.verdict),
                                "critical": ruling.critical,
                                "reason": ruling.reason,
                                "quotes": ruling.quotes,
                            })).collect::<Vec<_>>(),
                        })).collect::<Vec<_>>(),
                        "splits_heading": judged::splits_heading(judge, judge.split_votes.len()),
                        "splits": judge.split_votes.iter().map(|split| json!({
                            "title": judged::split_title(split, quote),
                            "sides": split.sides.iter()
                                .map(|side| judged::side(side, quote)).collect::<Vec<_>>(),
                        })).collect::<Vec<_>>(),
                    })
                })
                .collect();
            json!({
                "title": panel.title(quote),
                "standing": panel.standing(quote),
                "tables": panel.tables(quote).map(table),
                "reasons": panel.reasons(quote),
                "variants": worst,
            })
        })
        .collect();
    Some(json!({
        "legend": judged::LEGEND,
        "panels": shown,
        "remarks": judged::remarks(&panels),
    }))
}

pub fn criteria(report: &Report) -> Option<Value> {
    let criteria = report.criteria.as_ref()?;
    let extremes = judged::extremes(criteria);
    let lists = extremes.iter().filter(|listed| !listed.shown.is_empty());
    let lists: Vec<Value> = lists
        .map(|listed| {
            let lines = listed.shown.iter();
            let lines = lines.map(|criterion| judged::criterion(criterion, quote));
            json!({
                "title": format!(
                    "{}: {} of {}",
                    listed.title,
                    listed.shown.len(),
                    figures::count(listed.all)
                ),
                "lines": lines.collect::<Vec<_>>(),
            })
        })
        .collect();
    Some(json!({
        "words": judged::criteria_words(report, criteria),
        "distribution": table(judged::distribution(criteria)),
        "lists": lists,
    }))
}
