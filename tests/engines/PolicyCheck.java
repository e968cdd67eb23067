import java.util.List;
import org.elasticsearch.core.TimeValue;
import org.elasticsearch.xcontent.NamedXContentRegistry;
import org.elasticsearch.xcontent.ParseField;
import org.elasticsearch.xcontent.XContentParserConfiguration;
import org.elasticsearch.xcontent.json.JsonXContent;
import org.elasticsearch.xpack.core.ilm.DeleteAction;
import org.elasticsearch.xpack.core.ilm.LifecycleAction;
import org.elasticsearch.xpack.core.ilm.LifecyclePolicy;
import org.elasticsearch.xpack.core.ilm.LifecycleType;
import org.elasticsearch.xpack.core.ilm.RolloverAction;
import org.elasticsearch.xpack.core.ilm.TimeseriesLifecycleType;
import org.elasticsearch.xpack.core.ilm.action.PutLifecycleRequest;

/** Reads the body of `PUT _ilm/policy/…` as Elasticsearch does, with its own classes, and prints what it understood. */
class PolicyCheck {
    private static final class Named implements PutLifecycleRequest.Factory {
        public PutLifecycleRequest create(LifecyclePolicy policy) {
            return new PutLifecycleRequest(TimeValue.MINUS_ONE, TimeValue.MINUS_ONE, policy);
        }

        public String getPolicyName() {
            return "jwtrail";
        }
    }

    public static void main(String[] words) throws Exception {
        // The plugin that names them is not part of the minimal build; the actions themselves are.
        var registry = new NamedXContentRegistry(List.of(
            new NamedXContentRegistry.Entry(
                LifecycleType.class, new ParseField(TimeseriesLifecycleType.TYPE), parser -> TimeseriesLifecycleType.INSTANCE),
            new NamedXContentRegistry.Entry(
                LifecycleAction.class, new ParseField(RolloverAction.NAME), RolloverAction::parse),
            new NamedXContentRegistry.Entry(
                LifecycleAction.class, new ParseField(DeleteAction.NAME), DeleteAction::parse)));
        var config = XContentParserConfiguration.EMPTY.withRegistry(registry);
        try (var parser = JsonXContent.jsonXContent.createParser(config, System.in.readAllBytes())) {
            var request = PutLifecycleRequest.parseRequest(new Named(), parser);
            var wrong = request.validate();
            if (wrong != null) {
                throw wrong;
            }
            System.out.println(request.getPolicy());
        }
    }
}
