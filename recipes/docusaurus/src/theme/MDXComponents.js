import MDXComponents from "@theme-original/MDXComponents";
import DeliveryLab from "@site/src/components/DeliveryLab";

// <DeliveryLab> in every MDX file, without an import there.
export default { ...MDXComponents, DeliveryLab };
