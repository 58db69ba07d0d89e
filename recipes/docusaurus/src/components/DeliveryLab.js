import useBaseUrl from "@docusaurus/useBaseUrl";
import useDocusaurusContext from "@docusaurus/useDocusaurusContext";

// A figure: <DeliveryLab scenario="lost-ack" state="…" view="stage">its name</DeliveryLab>. What is inside is the link for those
// who see no script.
export default function DeliveryLab({ scenario, state, children, ...rest }) {
  const { i18n } = useDocusaurusContext();
  const lang = i18n.currentLocale;
  const page = useBaseUrl("/lab/index.html");
  const link = `${page}?scenario=${scenario}&lang=${lang}${state ? `#${state}` : ""}`;
  return (
    <delivery-lab scenario={scenario} {...(state && { state })} lang={lang} {...rest}>
      <a href={link}>{children ?? scenario}: run it in the playground</a>
    </delivery-lab>
  );
}
