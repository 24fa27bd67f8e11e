use super::*;

#[test]
fn the_built_in_definitions_are_valid() {
    let definitions = Definitions::embedded();
    for key in JudgeKey::ALL {
        let definition = definitions.get(key);
        assert_eq!(definition.key, key);
        assert_eq!(definition.rubric_hash().len(), 64);
    }
    assert_eq!(prompt_hash().len(), 64);
}
