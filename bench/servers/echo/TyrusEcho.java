import jakarta.websocket.OnMessage;
import jakarta.websocket.server.ServerEndpoint;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.glassfish.tyrus.server.Server;

/** The annotated echo endpoint of Tyrus' user guide, for both types of messages. */
public class TyrusEcho {
    @ServerEndpoint("/")
    public static class Echo {
        @OnMessage
        public String onText(String text) {
            return text;
        }

        @OnMessage
        public ByteBuffer onBinary(ByteBuffer data) {
            return data;
        }
    }

    public static void main(String[] args) throws Exception {
        new Server("127.0.0.1", Integer.parseInt(args[0]), "/", Map.of(), Echo.class).start();
        new CountDownLatch(1).await();
    }
}
